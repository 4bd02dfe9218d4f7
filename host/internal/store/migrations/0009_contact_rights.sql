-- What contacts may do beyond what every contact may: modules' capabilities of contacts.
ALTER TABLE contacts ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';
