package dataset

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pngOf draws an image of one colour.
func pngOf(t *testing.T, width, height int, c color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// times16 returns 0, 16, …, 240: the pixels of the grey files in testdata.
func times16() []float32 {
	v := upTo(16)
	for i := range v {
		v[i] *= 16
	}
	return v
}

// Each kind of file that Pillow makes of the same pixels gives these pixels.
func TestLoadImagesOfEveryKind(t *testing.T) {
	for _, name := range []string{"grey.png", "grey-alpha.png", "grey-palette.png", "grey-16bit.png", "grey-rgb.bmp", "grey.gif"} {
		split := load(t, "images:%s", newFolder(t, map[string][]byte{"a/" + name: readTestdata(t, name)}))
		wantSet(t, name, split.Train, [3]int{4, 4, 1}, times16(), 255, []int32{0})
	}
	split := load(t, "images:%s", newFolder(t, map[string][]byte{"a/grey.JPG": readTestdata(t, "grey.jpg")}))
	for i, v := range split.Train.pixels {
		if v < 126 || v > 130 {
			t.Errorf("grey.jpg: pixel %d: got %d, want about 128", i, v)
		}
	}
	split = load(t, "images:%s", newFolder(t, map[string][]byte{"a/red-cmyk.jpg": readTestdata(t, "red-cmyk.jpg")}))
	if p := split.Train.pixels; split.Train.Shape() != [3]int{4, 4, 3} || p[0] < 200 || p[1] > 50 || p[2] > 50 {
		t.Errorf("red-cmyk.jpg: got shape %v, pixel %v, want about red", split.Train.Shape(), p[:3])
	}
}

func TestLoadImages(t *testing.T) {
	grey := func(v uint8) []byte { return pngOf(t, 1, 1, color.Gray{Y: v}) }
	red := pngOf(t, 1, 1, color.NRGBA{R: 255, A: 255})
	one, three := [3]int{1, 1, 1}, [3]int{1, 1, 3}
	type part struct {
		shape    [3]int
		elements []float32
		labels   []int32
	}
	for _, c := range []struct {
		name             string
		files            map[string][]byte
		classes          []string
		train, val, test *part
	}{
		{"classes", map[string][]byte{"dog/1.png": grey(1), "cat/2.png": grey(2), "cat/10.png": grey(10)},
			[]string{"cat", "dog"}, &part{one, []float32{10, 2, 1}, []int32{0, 0, 1}}, nil, nil},
		{"what file managers leave", map[string][]byte{"cat/1.png": grey(1), "cat/.DS_Store": nil, "cat/Thumbs.db": nil, "cat/desktop.ini": nil, ".git/x": nil, "README": nil},
			[]string{"cat"}, &part{one, []float32{1}, []int32{0}}, nil, nil},
		{"parts, each without a class of another", map[string][]byte{"train/b/1.png": grey(1), "val/c/2.png": grey(2), "test/a/3.png": grey(3)},
			[]string{"a", "b", "c"}, &part{one, []float32{1}, []int32{1}}, &part{one, []float32{2}, []int32{2}}, &part{one, []float32{3}, []int32{0}}},
		{"validation", map[string][]byte{"train/a/1.png": grey(1), "validation/a/2.png": grey(2)},
			[]string{"a"}, &part{one, []float32{1}, []int32{0}}, &part{one, []float32{2}, []int32{0}}, nil},
		{"colour after grey", map[string][]byte{"a/1.png": grey(1), "b/2.png": red},
			[]string{"a", "b"}, &part{three, []float32{1, 1, 1, 255, 0, 0}, []int32{0, 1}}, nil, nil},
		{"colour in the test part only", map[string][]byte{"train/a/1.png": grey(1), "test/a/2.png": red},
			[]string{"a"}, &part{three, []float32{1, 1, 1}, []int32{0}}, nil, &part{three, []float32{255, 0, 0}, []int32{0}}},
		{"transparent", map[string][]byte{"a/1.png": pngOf(t, 1, 1, color.NRGBA{R: 200, A: 0})},
			[]string{"a"}, &part{one, []float32{0}, []int32{0}}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			split := load(t, "images:%s", newFolder(t, c.files))
			sets := []*Set{split.Train, split.Val, split.Test}
			for i, want := range []*part{c.train, c.val, c.test} {
				if (sets[i] != nil) != (want != nil) {
					t.Fatalf("part %d: there: %v", i, sets[i] != nil)
				}
				if want == nil {
					continue
				}
				wantSet(t, "part", sets[i], want.shape, want.elements, 255, want.labels)
				if diff := cmp.Diff(c.classes, sets[i].ClassNames()); diff != "" || sets[i].Classes() != len(c.classes) {
					t.Errorf("classes (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestLoadImagesRefuses(t *testing.T) {
	small, red := pngOf(t, 2, 2, color.Black), color.NRGBA{R: 255, A: 255}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		says  []string
	}{
		{"nothing", nil, []string{"no images", "a folder for each class"}},
		{"images without a class", map[string][]byte{"1.png": small}, []string{"no images", "a folder for each class"}},
		{"empty classes", map[string][]byte{"a/.keep": nil}, []string{"no images"}},
		{"one odd-sized image", map[string][]byte{"a/1.png": small, "a/2.png": small, "b/3.png": pngOf(t, 3, 2, color.Black)},
			[]string{filepath.Join("b", "3.png"), "3×2 pixels", filepath.Join("a", "1.png"), "2×2", "scale"}},
		{"not an image", map[string][]byte{"a/1.png": small, "a/notes.txt": []byte("hello")}, []string{filepath.Join("a", "notes.txt"), "not a readable"}},
		{"empty image", map[string][]byte{"a/1.png": {}}, []string{filepath.Join("a", "1.png"), "not a readable"}},
		{"image cut short", map[string][]byte{"a/1.png": small[:len(small)-20]}, []string{filepath.Join("a", "1.png"), "unreadable"}},
		{"header of a huge image", map[string][]byte{"a/1.png": hugePNG(small)}, []string{filepath.Join("a", "1.png"), "100000×2 pixels", "4096"}},
		{"a GIF whose first frame is smaller", map[string][]byte{"a/1.gif": smallFrame(t)}, []string{filepath.Join("a", "1.gif"), "its header says 4×4"}},
		{"folders in a class", map[string][]byte{"a/b/1.png": small}, []string{filepath.Join("a", "b") + " is not a file"}},
		{"parts beside classes", map[string][]byte{"train/a/1.png": small, "test/a/1.png": small, "holdout/a/1.png": small}, []string{"holdout", "train"}},
		{"a class named train", map[string][]byte{"train/1.png": small, "bus/1.png": small}, []string{"bus", "train"}},
		{"two validation parts", map[string][]byte{"val/a/1.png": small, "valid/a/1.png": small}, []string{"which"}},
		{"a name that clears the screen", map[string][]byte{"a\x1b[2J/1.png": pngOf(t, 1, 1, red)}, []string{`"a\x1b[2J"`, "rename"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.name == "a name that clears the screen" {
				t.Skip("Windows has no such names")
			}
			_, err := Load("images", newFolder(t, c.files))
			wantInput(t, err, c.says...)
		})
	}
	t.Run("no folder", func(t *testing.T) {
		_, err := Load("images:none", t.TempDir())
		wantInput(t, err, "none")
	})
	t.Run("a large file", func(t *testing.T) {
		dir := newFolder(t, map[string][]byte{"a/1.png": small})
		if err := os.Truncate(filepath.Join(dir, "a", "1.png"), maxImageFile+1); err != nil {
			t.Fatal(err)
		}
		_, err := Load("images", dir)
		wantInput(t, err, "1.png", "above the limit")
	})
}

// hugePNG lets a PNG's header declare 100,000 columns.
func hugePNG(png []byte) []byte {
	png = bytes.Clone(png)
	binary.BigEndian.PutUint32(png[16:], 100_000)
	binary.BigEndian.PutUint32(png[29:], crc32.ChecksumIEEE(png[12:29]))
	return png
}

// smallFrame returns a GIF of 4×4 pixels with one frame of 2×2.
func smallFrame(t *testing.T) []byte {
	t.Helper()
	frame := image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 4, Height: 4, ColorModel: frame.Palette}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Links to folders and files are followed, as people use them to put data sets
// together; a broken one is told of.
func TestLoadImagesFollowsLinks(t *testing.T) {
	dir := newFolder(t, map[string][]byte{"elsewhere/cats/1.png": pngOf(t, 1, 1, color.Gray{Y: 7}), "set/dog/.keep": nil})
	if err := os.Symlink(filepath.Join(dir, "elsewhere", "cats"), filepath.Join(dir, "set", "cat")); err != nil {
		t.Skipf("skipped: no symbolic links here: %v", err)
	}
	split := load(t, "images:%s", filepath.Join(dir, "set"))
	wantSet(t, "train", split.Train, [3]int{1, 1, 1}, []float32{7}, 255, []int32{0})
	if err := os.RemoveAll(filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	_, err := Load("images:set", dir)
	wantInput(t, err, "cat")
}

func TestImagesAreBounded(t *testing.T) {
	if err := (&imageBatch{}).checkSize("x", maxSide, maxSide); err != nil {
		t.Error(err)
	}
	for _, sides := range [][2]int{{0, 1}, {1, 0}, {1, maxSide + 1}, {-1, -1}} {
		wantInput(t, (&imageBatch{}).checkSize("x", sides[0], sides[1]), "sides must be")
	}
}
