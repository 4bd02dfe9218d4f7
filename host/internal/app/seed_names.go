package app

import "strings"

// seedNames are the parts of invented people's names, by script.
type seedNames struct {
	first, last []string
}

var (
	latinNames = seedNames{
		strings.Fields(`Ada Agnès Aleksander Álvaro Amélie Anaïs André Anja Antônio Astrid Åsa Beatriz Benoît Björn Břetislav Camille Carlos Cécile
			Chloé Clara Daniel Dávid Diego Dominika Édith Elena Élodie Émile Esteban Eva Felipe Fiona Françoise François Frédéric Gabriel Gaël Georg Grace
			Gustav Hannah Hélène Hugo Inês Ingrid Irène Isabel Jakub James Jana Jean João Johanna John José Joséphine Jürgen Karin Kateřina Lars Laura Léa
			Leonie Liam Lucía Łukasz Magdaléna Małgorzata Marcel María Mary Matteo Michael Miguel Miloš Núria Noah Nora Oliver Ólafur Paola Peter Pilar
			Rafael Raúl Renée Robert Rocío Rosa Sara Sebastián Søren Sofía Stanisław Tereza Thérèse Thomas Tomáš Ursula Valérie Víctor Willem Yvonne Zoë Żaneta`),
		strings.Fields(`Abbott Adamczyk Almeida Álvarez Andersen Andersson Araújo Bach Baker Barbier Barros Bauer Becker Bélanger Berg Bernard Black Blanc
			Böhm Braun Brown Burke Cabrera Calderón Carvalho Castillo Černý Clark Conceição Cooper Costa Côté Cruz Dąbrowski Davies Delgado Díaz Dubois
			Dupont Dvořák Edwards Engström Evans Fernández Ferreira Fischer Fontaine Fournier Freitas García Gauthier Girard Gómez Gonçalves González Green
			Grünwald Guzmán Hall Hansen Harris Hernández Hofmann Holm Horák Hughes Ibáñez Iversen Jansen Jiménez Johansson Johnson Jones Kaczmarek Keller
			King Klein Koch König Kowalski Krüger Kučera Lambert Larsen Lefèvre Lehmann Lewis Lindström Lopes López Löwe Macedo Magalhães Marín Martin
			Martínez Mayer Meier Mendes Mercier Meyer Miller Molina Moore Moreau Moreno Müller Muñoz Navarro Nguyễn Nielsen Novák Nowak Núñez Oliveira Olsen
			Ortega Ospina Öztürk Pálsson Parker Pereira Pérez Petit Pettersson Pokorný Procházka Ramírez Ramos Renard Reyes Ribeiro Richter Rivière Roberts
			Robinson Rodríguez Rousseau Ruiz Šťastný Sánchez Santos Schäfer Schmidt Schneider Schröder Schulz Silva Simon Šimůnek Smith Soares Sørensen Soto
			Souza Svoboda Szymański Taylor Teixeira Thomas Torres Turner Urban Valdés Vargas Vázquez Veselý Vidal Vogel Wagner Walker Weber Weiß White Wiśniewski
			Wójcik Wolf Wood Wright Yıldız Young Zając Zieliński Žák Zúñiga`),
	}
	arabicNames = seedNames{
		strings.Fields(`أحمد أمل أمينة إبراهيم بدر بشرى جمال حسن حسين خالد خديجة رامي رانيا زياد زينب سامي سعاد سلمى سليمان شادي عائشة عادل عبدالله
			عثمان علي عمر فاطمة فيصل كريم ليلى محمد محمود مريم منى نادية نور هالة هشام ياسمين يوسف`),
		strings.Fields(`الأحمد الأنصاري البغدادي البكري التونسي الجبوري الجزائري الحداد الحسيني الحلبي الخطيب الخوري الدمشقي الراشد الزهراني السعدي
			السيد الشامي الشريف الشمري الصباغ العتيبي العلي العمري الغامدي الفاسي القحطاني الكردي المصري المغربي النجار الهاشمي بنعلي حجازي منصور ناصر`),
	}
	cyrillicNames = seedNames{
		strings.Fields(`Александр Алёна Алексей Анастасия Анна Борис Вадим Валентина Василий Виктор Галина Георги Дарья Дмитрий Екатерина Елена Иван
			Игорь Ирина Йордан Кирилл Людмила Максим Мария Михайло Надежда Наталья Николай Оксана Олег Ольга Павел Пётр Роман Светлана Сергей Татьяна Тарас
			Фёдор Юлия Ярослав`),
		strings.Fields(`Андреев Бойко Бондаренко Васильев Волков Георгиев Григорьев Димитров Зайцев Иванов Ильин Коваленко Козлов Королёв Кузнецов
			Лебедев Мельник Михайлов Морозов Николов Новиков Орлов Павлов Петренко Петров Попов Романов Семёнов Смирнов Соколов Соловьёв Степанов
			Стоянов Ткаченко Фёдоров Шевченко Щербак Яковлев`),
	}

	companyTrades = strings.Fields(`Anlagenbau Aviation Bakery Biotech Café Céramique Chemicals Consulting Construcciones Design Elektronik Energía Farms
		Foods Freight Génie Glass Hotels Instruments Jewellery Labs Logistics Machinery Maschinen Média Metals Networks Optics Paper Pharma Plastics
		Printing Robotics Seguros Shipping Software Solar Steel Systems Textiles Timber Tools Tours Trading Vidéo Water`)
	companyForms = strings.Fields(`GmbH Ltd SA Inc AB s.r.o. Ltda SpA`)

	seedCities = strings.Fields(`Aarhus Barcelona Beirut Berlin Bogotá Bordeaux Brno Bruxelles Cairo Casablanca Córdoba Dublin Düsseldorf Gdańsk Genève
		Göteborg Hamburg Istanbul Kraków Kyiv Köln Leeds Lille Lisboa London Lyon Łódź Madrid Málaga Malmö México Milano Montréal München Nairobi Orléans
		Oslo Oviedo Paris Plovdiv Porto Praha Québec Reykjavík Roma Santiago Sevilla Sofia Toronto Toulouse Tunis Valparaíso Warszawa Wien Zürich`)

	// seedASCII writes Latin names as addresses have them.
	seedASCII = strings.NewReplacer(
		"á", "a", "à", "a", "ã", "a", "ä", "a", "å", "a", "ą", "a", "ç", "c", "č", "c", "ć", "c", "ď", "d", "é", "e", "è", "e", "ê", "e", "ë", "e", "ě", "e", "ễ", "e",
		"í", "i", "ï", "i", "î", "i", "ı", "i", "ł", "l", "ñ", "n", "ń", "n", "ó", "o", "ô", "o", "ö", "o", "ø", "o", "ř", "r", "ś", "s", "š", "s", "ß", "ss", "ť", "t",
		"ú", "u", "ü", "u", "ů", "u", "ý", "y", "ž", "z", "ź", "z", "ż", "z", " ", "-",
	)
)
