// Package dataset holds labelled images and reads them from the formats they
// are published in: IDX, NPZ, safetensors, folders of images, and digits, a
// set that is drawn on the spot.
//
// A Set keeps its images in the element type they came in. Everything that
// trains or measures sees a View: indices into a Set, never a copy. Whatever a
// file claims is checked before memory is taken for it, and labels and values
// are checked once, on the way in.
//
// Fetch downloads published sets. A file gets its name when its checksum is
// right, not before.
package dataset
