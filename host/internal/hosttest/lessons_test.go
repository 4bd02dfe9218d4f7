package hosttest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lesson is what went wrong in somebody else's plugin host, and what keeps it from going wrong here.
type lesson struct {
	where string   // the issue or change it is known from
	what  string   // in a few words
	tests []string // that would notice
	why   string   // it can't happen here, when no test can show it
}

// moduleLessons are those about hosting modules.
var moduleLessons = []lesson{
	// Process
	{"go-plugin #167, #83", "a process that is never ended", []string{"TestStopEndsEverythingInTime", "TestStartAndStopLeaveNothingBehind"}, ""},
	{"spiffe/spire #93, mission-control #3169", "the host dies and its plugins live on", []string{"TestKilledHostLeavesNoProcess", "TestAKilledHostLeavesNoModuleBehind", "TestOrphanEnds"}, ""},
	{"golang/go #27505, moby PR 44215, chromedp #1566", "the parent-death signal means the thread", []string{"TestEndingThreadsDontKillModules"}, ""},
	{"terraform #38939", "Kill hangs on a stopped process", []string{"TestAStoppedProcessIsDeactivatedInBoundedTime", "TestStopEndsAHungModuleToo"}, ""},
	{"go-plugin PR 320, nomad #23969", "a recycled process id is killed", nil, "no process id is kept beyond its process: there is no reattaching, and Kill goes to a child that has not been reaped, under the lock that reaping takes"},
	{"go-plugin #291", "a leak with every crash", []string{"TestFiveHundredCrashesLeaveNothingBehind", "TestStartAndStopLeaveNothingBehind"}, ""},
	{"go-plugin #114", "logs lost with the host", []string{"TestAModuleThatKeepsCrashingIsGivenUpUntilRetry"}, ""},
	{"go-plugin #119, steampipe #3292", "stale sockets pile up", []string{"TestStartAndStopLeaveNothingBehind", "TestAStartClearsAwayWhatADeadHostLeft", "TestADeepRunFolderIsClearedAway"}, ""},
	{"grafana #131592", "a removed socket is noticed by nobody", []string{"TestARemovedSocketIsNoticed", "TestASocketNobodyListensOnIsNoticed"}, ""},
	{"terraform #22198, #32787, packer #2091", "a long path breaks the start with another message", []string{"TestALongRunFolderIsNamedAsTheCause"}, ""},
	{"steampipe #3732", "a panic at the start hidden behind the handshake", []string{"TestWhatWillNotStartStaysInactive", "TestTheLogKeepsTheLastLinesAndCountsTheRest"}, ""},
	{"go-plugin #103, grafana #74316", "the host's environment, secrets and all", []string{"TestWhatAModuleSeesOfItsSurroundings"}, ""},
	{"go-plugin #109, #89", "mutual TLS and the broker", []string{"TestWhatIsGrantedIs", "TestErrorsCrossTheWireBothWays"}, ""},

	// Health
	{"mattermost PR 14088, 14110", "endless restarts: the counter was forgotten", []string{"TestAModuleThatKeepsCrashingIsGivenUpUntilRetry"}, ""},
	{"mattermost PR 10462", "one hung check holds up all the others", []string{"TestAHungHealthCheckDelaysNoOther"}, ""},
	{"opentelemetry-demo #1309", "out of memory, and a restart every second", []string{"TestBackoffGrowsAndIsBounded", "TestAModuleThatTakesTooMuchMemoryIsEndedByTheKernel"}, ""},
	{"focalboard #4087, mattermost-plugin-apps #411", "a plugin's trouble freezes the server", []string{"TestAHungModuleHoldsUpNothing", "BenchmarkPagesUnderAttack"}, ""},
	{"OpenWA PR 683", "calls to a dead worker wait", []string{"TestAKilledModuleLeavesTheScreenAtOnceAndComesBack"}, ""},
	{"OmniRoute PR 12116", "a note that was late killed who it was for", []string{"TestANoteThatIsNotTakenKillsNoModule"}, ""},
	{"mattermost PR 12371", "stopped under a lock, and called back", []string{"TestAModuleMayAskForEverythingWhileItIsDeactivated", "TestAHungModuleHoldsUpNothing"}, ""},
	{"mattermost documentation PR 661", "a debugger's pause kills", []string{"TestADebuggedModuleMayTakeItsTime"}, ""},

	// Install, upgrade, signature
	{"mattermost #9338", "active, though the server part failed", []string{"TestWhatWillNotStartStaysInactive"}, ""},
	{"mattermost #26275, #16983", "the good copy removed first; still in the menu", []string{"TestDyingWhileUnpackingLeavesOldOrNew", "TestWhatAModuleAddsGoesWithIt"}, ""},
	{"grafana-infinity #1177, zabbix #1850, operator #2946", "half an upgrade on the disk", []string{"TestKilledAtAnyStepLeavesOldOrNew", "TestAnErrorAtAnyStepLeavesTheOldOneRunning", "TestDyingWhileUnpackingLeavesOldOrNew", "TestTheDatabaseBringsBackTheFolder"}, ""},
	{"grafana #29950, azure-data-explorer #271", "files of the old version seen by the new", []string{"TestAFolderIsTakenOnlyAsItsPackageSays"}, ""},
	{"mattermost #34354, #34895", "a signature required, and no word of it", []string{"TestWhatIsNotAsSignedIsRefusedBeforeAnythingIsWritten", "TestARemovedKeyStopsTheNextInstallOnly"}, ""},
	{"mattermost-plugin-calls #788", "verified after it was written", []string{"TestWhatIsNotAsSignedIsRefusedBeforeAnythingIsWritten"}, ""},
	{"mattermost #27103, #14412", "a greyed button without a reason", []string{"TestWhatIsDisabledSaysWhy"}, ""},
	{"vault #3602", "one wrong checksum, and nothing starts", []string{"TestTheModulesPageStandsWithEveryModuleBroken"}, ""},
	{"grafana #4562", "success on the command line, failure in fact", []string{"TestCommands"}, ""},
	{"moussetc giphy #11, spoiler #25", "incompatible, said as a timeout", []string{"TestAHostThatIsTooOldSaysSo", "TestWhatIsWrongWithAPackageIsSaid"}, ""},
	{"mattermost #26989", "no binary for this platform, found at activation", []string{"TestWhatIsWrongWithAPackageIsSaid"}, ""},

	// Data, cleanup, compatibility
	{"mattermost-plugin-jira #902, matterpoll #367, google-calendar #87", "data nobody can be rid of", []string{"TestDataIsResetWithoutUninstalling", "TestReinstallAfterDeletingItsDataIsAFirstInstall"}, ""},
	{"mattermost PR 34867", "what a removed plugin owned, found by nobody", []string{"TestThePreviewCountsEveryKind"}, ""},
	{"mattermost PR 9601", "commands stay after removal", []string{"TestWhatAModuleAddsGoesWithIt"}, ""},
	{"nextcloud #10920, #10373, #12014", "a bad app breaks the page it is switched off on", []string{"TestTheModulesPageStandsWithEveryModuleBroken", "TestCommands", "TestAHostThatDiesWithAModuleComesUpWithoutModules"}, ""},
	{"nextcloud #239, #3123, #49671", "an update disables apps without a reason", []string{"TestCommands"}, ""},
	{"terraform #20879, #21709", "gRPC's 4 MiB", []string{"TestALongAnswerIsStreamed", "TestAHostilePageHurtsNobody"}, ""},
	{"WordPress recovery mode", "needs working mail, knows only pages", []string{"TestAHostThatDiesWithAModuleComesUpWithoutModules", "TestSafeModeEndsWhenTheSuspectIsGone"}, ""},
	{"Perfex", "one schema for the new, another for the upgraded", nil, "a module has no tables: it keeps settings and values, which the host stores and an upgrade finds as they were"},

	// go-plugin itself, 1.7 to 1.8
	{"go-plugin's 2 GiB limit", "what a message may take of the host", []string{"TestAMessageOfManyPartsIsRefusedUnread", "TestAHostilePageHurtsNobody"}, ""},
	{"go-plugin's broker", "it remembers every connection that is offered", []string{"TestAModuleThatOffersConnectionsWithoutEndWaits"}, ""},
	{"go-plugin's log levels", "plain prints hidden as debugging", []string{"TestPrintsAreInTheLog"}, ""},
	{"go-plugin's handshake on stdout", "a print before it, taken for it", []string{"TestAModuleThatPrintsBeforeTheHandshakeIsNotBelieved"}, ""},
	{"a static SERVING", "health that says nothing of the module", []string{"TestAModuleThatStopsAnsweringIsStartedAnew", "TestASocketNobodyListensOnIsNoticed"}, ""},
}

func TestEveryLessonHasItsTest(t *testing.T) {
	there := testNames(t)
	for _, l := range slices.Concat(moduleLessons, switchLessons) {
		if (len(l.tests) == 0) == (l.why == "") {
			t.Errorf("%s: %s: name its tests, or say why it can't happen", l.where, l.what)
		}
		for _, name := range l.tests {
			if !there[name] {
				t.Errorf("%s: %s: there is no %s", l.where, l.what, name)
			}
		}
	}
}

// testNames are the tests and benchmarks of the whole repository, each also with every story that its
// body names.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "dist"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !(strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Benchmark")) {
				continue
			}
			names[f.Name.Name] = true
			ast.Inspect(f, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					names[f.Name.Name+"/"+strings.Trim(text.Value, `"`)] = true
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
