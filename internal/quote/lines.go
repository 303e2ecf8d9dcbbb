package quote

import "strings"

// Lines returns the text of err, each line quoted. A line ends only where
// errors were joined; a line break in a text that an error holds is quoted.
func Lines(err error) []string {
	text := err.Error()
	children := unwrap(err)
	if len(children) > 1 && text == joined(children) {
		var all []string
		for _, child := range children {
			all = append(all, Lines(child)...)
		}
		return all
	}
	for _, child := range children {
		inner := child.Error()
		before, after, found := strings.Cut(text, inner)
		if !found || !strings.Contains(inner, "\n") {
			continue
		}
		// What was wrapped may be several lines: the wrapping stands around them.
		all := Lines(child)
		all[0] = Text(before + all[0])
		all[len(all)-1] = Text(all[len(all)-1] + after)
		return all
	}
	return []string{Text(text)}
}

// unwrap returns the errors that err was made of.
func unwrap(err error) []error {
	switch err := any(err).(type) { // this level, not what it wraps
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}

func joined(all []error) string {
	texts := make([]string, len(all))
	for i, err := range all {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}
