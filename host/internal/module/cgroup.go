package module

// What one module's process may take where the kernel counts it: in a control group of its own. A
// module at rest holds some 15 MB. Files it has read or written count as well, but make room when
// others need it; files in memory, where its run folder is on such a file system, don't.
const (
	maxMemory = 512 << 20
	maxTasks  = 1024 // processes and threads, whoever's they are
)
