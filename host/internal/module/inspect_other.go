//go:build !linux

package module

import "os"

// ThisMachine looks at the machine: there is no sandbox here.
func ThisMachine() Machine { return Machine{Platform: hostPlatform()} }

func folderFacts(path string) FolderFacts {
	info, err := os.Stat(path)
	there := err == nil && info.IsDir()
	return FolderFacts{Path: path, There: there, Writable: there, Private: true, Owner: -1}
}
