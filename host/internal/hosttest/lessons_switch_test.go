package hosttest

// switchLessons are those about becoming somebody else, from threads, advisories and sources of some
// thirty programs that let people do so. A test's name may be followed by the story it tells.
var switchLessons = []lesson{
	// Session swap and restore
	{"MAIF/daikoku #1102", "the target inherits the switch, and the way back leads to the administrator", []string{"TestTargetSigningInElsewhereInheritsNothing", "TestTheTargetsOwnSessionsAreTheirsAlone"}, ""},
	{`RISE "login as client"`, "the way back is an address that anybody may open", []string{"TestTheWayBackOfAnotherSessionLeadsNowhere", "TestNoSuchTarget"}, ""},
	{"expertiza #981", "returned as another person", []string{"TestInterleavedActorsEachReturnToThemselves"}, ""},
	{"gitlab #196028", "switched within a switch, and back to oneself without a banner", []string{"TestSwitchesNeverNest", "TestWhatWentWrongElsewhere/switches never nest"}, ""},
	{"better-auth #6448, hackclub/hcb #6410, devise_masquerade #20", "a nested start loses the first actor", []string{"TestSwitchesNeverNest", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"django-hijack #552, #613, #410", "a lock on all users, and races without it", []string{"TestParallelStartsAndStopsEndInOneState", "TestSwapSubjectIsCompareAndSwap", "BenchmarkFiftyStartsAmongAHundredThousand"}, ""},
	{"better-auth #2185, accounts-js #1096", "the cookie of the switch is good after it", []string{"TestSwitchMakesTheTargetTheSubjectAndReturnTheActor", "TestWhatWentWrongElsewhere/old secrets are dead"}, ""},
	{"galaxy #21813, Bike4Mind #788, synaplan #1657", "the target's own sessions end", []string{"TestTargetsOwnSessionsLiveOn", "TestTargetSigningOutEverywhereLeavesTheActor", "TestTheTargetsOwnSessionsAreTheirsAlone"}, ""},
	{"laravel-impersonate #162, #134, #154, #219, LaraPersonate #31", "something of the old user stays in the session", []string{"TestFormsNeedTheTokenOfTheSessionAndSubject", "TestSessionRowsHoldIDsOnly", "TestTheBannerSpeaksTheActorsLanguage"}, ""},
	{"symfony #8321, #39991, #28306", "the session holds a copy of the user, credentials and all", []string{"TestSessionRowsHoldIDsOnly", "TestWhatChangesMeanwhileEndsTheSwitch"}, ""},
	{"devise_masquerade #65, pretender #5, owncloud", "the marker is lost, and one simply is the user", []string{"TestLosingTheMarkerMakesTheActor", "TestNoOrderOfEventsBreaksASwitch", "TestKilledAtAnyMomentEveryStartHasItsEnd"}, ""},
	{"pretender #4", "the next person at the machine inherits the marker", []string{"TestSignOutEndsTheSwitchAndNothingIsInherited"}, ""},
	{"decidim #9588", "signing out doesn't end it", []string{"TestSignOutEndsTheSwitchAndNothingIsInherited", "TestLogoutWhileSwitchedAsksWhich"}, ""},
	{"ractf #192, nextcloud #31, loginas #33", "what signing out means is anybody's guess", []string{"TestLogoutAsksWhileSwitched", "TestLogoutWhileSwitchedAsksWhich"}, ""},
	{"huginn #3698, Paymenter #1153", "the marker is trusted without asking again", []string{"TestWhatChangesMeanwhileEndsTheSwitch"}, ""},
	{"devise_masquerade CVE-2021-28680", "returned by an id that the client holds", []string{"TestTheCookieHoldsOnlyASecret", "TestSwitchMakesTheTargetTheSubjectAndReturnTheActor"}, ""},
	{"xraph/authsome middleware.go", "a guard that never sees the switch, and an error that lets through", []string{"TestEverySensitiveRouteIsRefusedWhileSwitchedAndRecordedOnce", "TestWithoutTheRecordThereIsNoSwitch", "TestADatabaseThatFailsMakesNobodyAnybody"}, ""},
	{"user-switching #11", "the administrator is deleted meanwhile", []string{"TestWhatChangesMeanwhileEndsTheSwitch"}, ""},
	{"filament #71, #87, 629962b", "the target is deleted, and the banner breaks every page", []string{"TestWhatChangesMeanwhileEndsTheSwitch", "TestTheSessionPageWorksInEveryState"}, ""},
	{"redmine_impersonate #16, objectui #4304, #4467", "the banner, or the name, stays", []string{"TestWhatWentWrongElsewhere/back after stop shows nothing of the other person", "TestSwitchLandsOnTheRightDashboardAndRestoreComesBack"}, ""},

	// Authorization
	{"calagopus #91, Levelup-for-Dynamics #495, twenty #12891, ChurchCRM #9844", "more rights through somebody else", []string{"TestCeilingForEveryPair", "TestNoOrderOfEventsBreaksASwitch", "TestWhatWentWrongElsewhere/nobody becomes more than they are"}, ""},
	{"django-loginas PR #58", "the documentation promises what the code doesn't do", []string{"TestCeilingForEveryPair", "TestTheTwentyPromises"}, ""},
	{"laravel-impersonate", "the rules stand in the controller only", []string{"TestCeilingForEveryPair", "TestTheExplanationIsTheDecision"}, ""},
	{"idenplane #344", "the actor is read from the request", []string{"TestPostedActorsAreIgnored"}, ""},
	{"ezauth #149", "anybody ends another's", []string{"TestWhoMayEndAnothersSwitch", "TestTheWayBackOfAnotherSessionLeadsNowhere"}, ""},
	{"ezauth #199, Hephaestus #1885, trigger.dev #3078", "demoted or promoted meanwhile, and it lives on", []string{"TestWhatChangesMeanwhileEndsTheSwitch", "TestWhatChangesMeanwhileEndsIt", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"owncloud #37, blitz docs #854", "checked on the screen only", []string{"TestTheThreeSettingsInEveryCombination", "TestAFailedStartChangesNothingAndIsRecorded"}, ""},
	{"owncloud #32, nextcloud #41, #43", "nobody understood the settings", []string{"TestTheThreeSettingsInEveryCombination", "TestSentencesNameSettingsAndButtonsAsTheScreenDoes", "TestDecideFollowsTheMatrix"}, ""},
	{"gitlab #332667, #465713, #336270", "trying blocked the target's account", []string{"TestAFailedStartChangesNothingAndIsRecorded"}, ""},
	{"archestra #7043", "two systems of roles disagree", []string{"TestARightGivenCountsWithTheNextRequest"}, ""},

	// Forged requests, redirects, links
	{"laravel #78, hcb #4676, symfony #27348, django-impersonate, switch_user, devise_masquerade", "a GET switches", []string{"TestWrongMethodsAre405", "TestWhatWentWrongElsewhere/only own forms switch and restore", "TestGettingChangesNothing"}, ""},
	{"polovnjak-mcp #23", "SameSite alone keeps other sites out", []string{"TestOtherSitesFormsAreRefused"}, ""},
	{"loginas, django-impersonate, filament", "redirects to wherever an address says", []string{"TestNextLeadsOnlyIntoTheArea", "TestWhatWentWrongElsewhere/sign in leads nowhere else"}, ""},
	{"devise_masquerade #63, laravel-impersonate take()", "a failed start leaves its traces in the session", []string{"TestAFailedStartChangesNothingAndIsRecorded", "TestARefusedSwitchSaysWhyAndChangesNothing"}, ""},
	{"workos/authkit-js #116", "a link that signs in, and can be sent to others", []string{"TestStartingGivesNoSecretToAScript"}, ""},
	{"agenticos #943, #1044", "a bearer token on the clipboard", []string{"TestStartingGivesNoSecretToAScript"}, ""},
	{"dub #4273", "the marker hangs on an address", []string{"TestASwitchHangsOnItsSessionNotOnAnAddress"}, ""},

	// Stuck
	{"gitlabhq #10074, discourse #43137, #43139, #43140, saproto #106", "a wall for the target hides the way back", []string{"TestTheWayBackIsBehindNoWall", "TestTheSessionPageWorksInEveryState"}, ""},
	{"pretender #50, symfony #61773, hackclub/flavortown #711", "stopping needs a right the target lacks", []string{"TestTheWayBackIsBehindNoWall", "TestStopWorksWhenTheModuleWasKilled"}, ""},
	{"ServiceNow", "the page is broken, and the way back with it", []string{"TestWhatWentWrongElsewhere/the plain page leads back", "TestTheWayBackIsBehindNoWall", "TestStopWorksWhenTheModuleHangs"}, ""},
	{"filament PR #154", "a sign-in on the other side drops the banner and keeps the name", []string{"TestASignInWhileSwitchedIsRefusedAndTheSwitchGoesOn", "TestLogoutAsksWhileSwitched", "TestWhatWentWrongElsewhere/other tabs learn of a switch"}, ""},
	{"gitlab's concern", "switched off meanwhile, and it goes on", []string{"TestWhateverTakesTheModuleAwayEndsTheSwitch", "TestWithoutItsGrantASwitchEnds"}, ""},
	{"decidim #2101, #2372", "a job that failed locks everybody out", []string{"TestADanglingMarkerHoldsNobodyUp", "TestSweepClosesWhatNobodyCameBackFor", "TestSwitchEndsWhenItsTimeIsUp"}, ""},
	{"devise_masquerade #53, #102, metasmoke #1020", "after the time is up, a page one can't open", []string{"TestWhenTimeIsUpEveryPortalAddressLeadsHome", "TestTheSwitchEndsByItselfWithASentence"}, ""},

	// Cookies
	{"better-auth #1465", "the time limit is ignored", []string{"TestSwitchEndsWhenItsTimeIsUp", "TestCapsToTheSecond", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"better-auth #10819", "a client with a token goes on as the administrator", []string{"TestABearerTokenIsNobody"}, ""},
	{"magento #159, #186, magefan #5", "two customers in one browser, mixed", []string{"TestASecondContactSeesNothingOfTheFirst"}, ""},

	// Audit and attribution
	{"OCA #902, #951", "works otherwise than for the target", []string{"TestWhatIsDoneMeanwhileNamesBoth", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"nextcloud #131, zammad #2585, wekan #3284, ASF #957, hackatime #614, hoist-react #2763, user-office #1086", "the record names the target alone", []string{"TestTheActivityLogTellsWhoActedAsWhom", "TestTheActivityLogNamesBothAndFollowsASwitch", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"keycloak #51489, #28997", "later events lose the actor", []string{"TestTheTimelineTellsWhatHappenedInItsOrder", "TestEverySensitiveRouteIsRefusedWhileSwitchedAndRecordedOnce", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"hoist-core #190, django-impersonate's readme", "a start without its end", []string{"TestNoOrderOfEventsBreaksASwitch", "TestKilledAtAnyMomentEveryStartHasItsEnd", "TestAKilledHostLeavesNoSwitchTorn", "TestASwitchEndsOnce"}, ""},
	{"agenticos #1435", "a notice names the account in between", []string{"TestMailWrittenUnderABorrowedNameNamesTheActor", "TestTheSubjectIsToldOfTheEndAndAdministratorsOfTheStart"}, ""},
	{"lightdash #22378", "the actor is recorded without role and time", []string{"TestTheRecordKeepsTheNamesOfTheTime"}, ""},
	{"agenticos #1491, PostHog #59128, autumn #3391", "what was made meanwhile outlives it", []string{"TestSensitiveThingsAreRefusedWhileSwitched", "TestEverySensitiveRouteIsRefusedWhileSwitchedAndRecordedOnce", "TestNoPasswordIsSetUnderABorrowedName"}, ""},
	{"discourse #34872, rainlab #560, DMOJ #1220", "the target's last sign-in moves", []string{"TestATourLeavesNoFootprints", "TestAReadingTourLeavesNoMarkAnywhere", "TestTheTargetsOwnSessionsAreTheirsAlone", "TestNoOrderOfEventsBreaksASwitch"}, ""},
	{"langwatch #6564, #3366, lfx #607, posthog", "the customer's figures are the staff's", []string{"TestATourLeavesNoFootprints", "TestModuleAsAProcess"}, ""},
	{"nextcloud/server #58515, impersonate #92, #127", "notices and pushes of the wrong person", []string{"TestABorrowedNameNeitherSeesNorDismissesNotices", "TestANoticeIsNotForABorrowedName", "TestPiecesOfAPageAreItsSubjects"}, ""},
	{"nextcloud #230, #17", "whose password is asked for", []string{"TestMoreRightsTakeTheActorsPassword", "TestElevationTakesTheActorsOwnPassword", "TestTheOwnPasswordIsAskedForBeforeAStart"}, ""},
	{"onetimesecret ADR-041", "a GET that changes something; a guard that another body gets past", []string{"TestGettingChangesNothing", "TestEveryRouteHasAClassAndANeed", "TestNoOtherMethodOrBodyGetsPastAReadOnlySwitch"}, ""},

	// On the screen
	{"GardenTwin #102", "one click by mistake starts it", []string{"TestStartFromARowChoosesThePerson", "TestTheTwentyPromises"}, ""},
	{"nextcloud #188, Levelup #280, switch_user #55, caseflow #12036", "a list of everybody", []string{"TestSearchFindsWhomYouMayBecome", "TestSearchKeepsToTheAllowedKinds", "BenchmarkSearchAmongAHundredThousand"}, ""},
	{"workarea #514, mitxpro #83, PostHog #43098", "returned to the wrong page: here it is the dashboard, always", []string{"TestSwitchLandsOnTheRightDashboardAndRestoreComesBack", "TestTheWayBackIsBehindNoWall"}, ""},
	{"frappe #32717, #33400, #38470, #34051, galaxy, buttondown #3333, discourse #34213", "no way back", []string{"TestStopStandsInBothAreasWhileSwitched", "TestSwitchLandsOnTheRightDashboardAndRestoreComesBack", "TestTheTwentyPromises"}, ""},
	{"filament #61, #62, #142, #151", "the banner covers things", []string{"TestWhatWentWrongElsewhere/banner covers nothing"}, ""},
	{"lfx #1044, gather #715", "the banner is missing on some layouts, or not read out", []string{"TestEveryErrorPageSaysWhoseEyesTheseAre", "TestWhatWentWrongElsewhere/banner stands on every page", "TestEveryPageIsAccessible"}, ""},
	{"loginas #110, filament", "needs scripts that a policy forbids", []string{"TestWhatWentWrongElsewhere/start and stop without any script", "TestNothingInlineInTemplates"}, ""},
	{"superplane #4772", "a button that is shown and refused", []string{"TestPasswordsAndRightsStayOutOfReachWhileSwitched", "TestWhatIsDisabledSaysWhy"}, ""},
}
