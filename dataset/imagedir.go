package dataset

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

// maxImageFile bounds the file: 16 bits a channel, uncompressed, and room for
// what cameras write beside it.
const maxImageFile = 8*maxSide*maxSide + 16<<20

// loadImages reads dir/CLASS/FILE, or dir/PART/CLASS/FILE where there are
// folders train, val (valid, validation) and test. Classes are numbered in
// order of their names, over all parts. All images must be of one size; they
// are kept with one channel when every pixel of the whole set is grey, with
// three otherwise, and 8 bits of each. Transparent pixels count as black, and
// of a GIF the first frame.
func loadImages(dir string) (Split, error) {
	parts, err := imageParts(dir)
	if err != nil {
		return Split{}, err
	}
	names, err := classNames(parts)
	if err == nil {
		err = checkNames(names)
	}
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", dir, err)
	}
	b := imageBatch{}
	var labels [3][]int32
	for i, part := range parts {
		if labels[i], err = b.addPart(part, names); err != nil {
			return Split{}, err
		}
	}
	if b.n == 0 {
		return Split{}, fault.Inputf("no images in %s: want a folder for each class with PNG, JPEG, GIF or BMP files", dir)
	}
	return b.split(labels, names)
}

// imageParts returns the folders of the training, validation and test images,
// "" for a part that is not there.
func imageParts(dir string) (parts [3]string, err error) {
	names, err := folders(dir)
	if err != nil {
		return parts, err
	}
	other := ""
	for _, name := range names {
		var part *string
		switch name {
		case "train":
			part = &parts[0]
		case "val", "valid", "validation":
			part = &parts[1]
		case "test":
			part = &parts[2]
		default:
			other = name
			continue
		}
		if *part != "" {
			return parts, fault.Inputf("%s and %s/%s: which are the validation images?", *part, dir, name)
		}
		*part = filepath.Join(dir, name)
	}
	switch {
	case parts == [3]string{}:
		parts[0] = dir
	case other != "":
		return parts, fault.Inputf("%s has parts such as train and test, but also %q: want either parts with classes in them, or classes", dir, other)
	}
	return parts, nil
}

// folders returns the names of the folders in dir, sorted. A link to a folder
// is one; a hidden one is not.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	var names []string
	for _, e := range entries {
		is := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, fault.As(fault.Input, err)
			}
			is = info.IsDir()
		}
		if is && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// classNames returns the names of the folders in all parts, sorted.
func classNames(parts [3]string) ([]string, error) {
	var names []string
	for _, part := range parts {
		if part == "" {
			continue
		}
		some, err := folders(part)
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > MaxClasses {
		return nil, fault.Inputf("%d folders of classes, above the limit of %d", len(names), MaxClasses)
	}
	return names, nil
}

// checkNames refuses names of classes that would do more than be read where
// they are printed.
func checkNames(names []string) error {
	for _, name := range names {
		if err := quote.Check("class name", name); err != nil {
			return fmt.Errorf("%w: rename it", err)
		}
	}
	return nil
}

// addPart adds the images in a part's class folders, in order of their names,
// and returns their labels.
func (b *imageBatch) addPart(part string, classes []string) ([]int32, error) {
	var labels []int32
	if part == "" {
		return nil, nil
	}
	for label, class := range classes {
		entries, err := os.ReadDir(filepath.Join(part, class))
		if os.IsNotExist(err) {
			continue // a part may lack a class that another has
		}
		if err != nil {
			return nil, fault.As(fault.Input, err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") || e.Name() == "Thumbs.db" || e.Name() == "desktop.ini" {
				continue // left there by file managers
			}
			path := filepath.Join(part, class, e.Name())
			raw, err := readImageFile(path)
			if err != nil {
				return nil, err
			}
			if err := b.add(path, raw); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			labels = append(labels, int32(label))
		}
	}
	return labels, nil
}

// readImageFile reads a file whole, if it may be one image.
func readImageFile(path string) ([]byte, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxImageFile {
		return nil, fault.Inputf("%s: %d bytes are above the limit of %d for an image", path, size, int64(maxImageFile))
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, readError(err))
	}
	return raw, nil
}
