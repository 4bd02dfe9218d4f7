package module

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
)

// clearAway removes what a module could write to. However deep it made folders in one another, few
// files are open at a time: os.RemoveAll opens as many as they are deep, and the host would have
// none left for people. No link is followed. That nothing is there is no error.
func clearAway(name string) error {
	info, err := os.Lstat(name)
	if err != nil || !info.IsDir() {
		return remains(errors.Join(err, os.Remove(name)))
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	err = eachIn(root, ".", func(e fs.DirEntry) error {
		if e.IsDir() {
			return dissolve(root, e.Name())
		}
		return root.Remove(e.Name())
	})
	return remains(errors.Join(err, root.Close(), os.Remove(name)))
}

// remains is what went wrong, unless it is that nothing was there.
func remains(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dissolve removes a folder right below the root, and moves the folders in it there.
func dissolve(root *os.Root, folder string) error {
	err := eachIn(root, folder, func(e fs.DirEntry) error {
		name := path.Join(folder, e.Name())
		if e.IsDir() {
			return root.Rename(name, ".up-"+randomName())
		}
		return root.Remove(name)
	})
	return errors.Join(err, root.Remove(folder))
}

// eachIn takes out of a folder, one by one, what is in it until nothing is left.
func eachIn(root *os.Root, folder string, take func(fs.DirEntry) error) error {
	_ = root.Chmod(folder, 0o700) // a module may have shut it
	for {
		list, err := firstOf(root, folder)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			if err := take(e); err != nil {
				return err
			}
		}
	}
}

// firstOf are the first of what is in a folder.
func firstOf(root *os.Root, folder string) ([]fs.DirEntry, error) {
	f, err := root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const atOnce = 1000
	list, err := f.ReadDir(atOnce)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}
