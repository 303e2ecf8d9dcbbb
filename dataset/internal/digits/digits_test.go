package digits

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
)

func mustDraw(t *testing.T, seed uint64, sites, perSite, test int) (training, testing Images) {
	t.Helper()
	training, testing, err := Draw(seed, sites, perSite, test)
	if err != nil {
		t.Fatal(err)
	}
	return training, testing
}

func TestDrawRepeats(t *testing.T) {
	training, testing := mustDraw(t, 1, 2, 20, 40)
	again, testingAgain := mustDraw(t, 1, 2, 20, 40)
	if !bytes.Equal(training.Pixels, again.Pixels) || !bytes.Equal(testing.Pixels, testingAgain.Pixels) {
		t.Error("the same seed drew other images")
	}
	other, _ := mustDraw(t, 2, 2, 20, 40)
	if bytes.Equal(training.Pixels, other.Pixels) {
		t.Error("another seed drew the same images")
	}
}

// The same seed gives the same bytes on every 64-bit platform and any number of
// cores: published digests of data sets depend on them. A change on purpose
// changes the figure.
func TestDrawIsPinned(t *testing.T) {
	training, testing := mustDraw(t, 1, 10, 20, 40)
	h := sha256.New()
	for _, images := range []Images{training, testing} {
		h.Write(images.Pixels)
		for i, label := range images.Labels {
			h.Write([]byte{byte(label), byte(images.Sites[i])})
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != pinned {
		t.Errorf("drew other images: got %s, want %s", got, pinned)
	}
}

const pinned = "a07b4afd6f800438629ee2bed468d9d968efd066fe03b20b5fab7b3b76107525"

// A site's images are its own: they do not change when others join.
func TestSiteDependsOnItsNumberOnly(t *testing.T) {
	few, _ := mustDraw(t, 1, 2, 20, 40)
	many, _ := mustDraw(t, 1, 5, 20, 40)
	if !bytes.HasPrefix(many.Pixels, few.Pixels) || !slices.Equal(many.Labels[:40], few.Labels) {
		t.Error("the first two sites' images changed with the number of sites")
	}
	if bytes.Equal(many.Pixels[:20*Side*Side], many.Pixels[20*Side*Side:40*Side*Side]) {
		t.Error("two sites have the same images")
	}
}

func TestEveryoneHasAllDigits(t *testing.T) {
	const sites, perSite, test = 3, 30, 120
	training, testing := mustDraw(t, 1, sites, perSite, test)
	counts := map[int32][10]int{}
	for i, label := range training.Labels {
		c := counts[training.Sites[i]]
		c[label]++
		counts[training.Sites[i]] = c
	}
	for site := range int32(sites) {
		for digit, got := range counts[site] {
			if got != perSite/10 {
				t.Errorf("site %d has %d images of %d, want %d", site, got, digit, perSite/10)
			}
		}
	}
	shares := map[int32]int{}
	for _, site := range testing.Sites {
		shares[site]++
	}
	if got, want := shares[HeldOut], test/4; got != want {
		t.Errorf("%d test images in styles that no site has, want %d", got, want)
	}
	for site := range int32(sites) {
		if got, want := shares[site], test/4; got != want {
			t.Errorf("%d test images in the style of site %d, want %d", got, site, want)
		}
	}
}

// Ink is where a digit is: the middle of an image is brighter than its upper
// and lower rims, which no neighbour reaches, and no image is blank.
func TestDigitsAreVisible(t *testing.T) {
	training, _ := mustDraw(t, 1, 8, 20, 10)
	for i := range training.Labels {
		drawing := training.Pixels[i*Side*Side:][:Side*Side]
		lo, hi := slices.Min(drawing), slices.Max(drawing)
		if hi-lo < 80 {
			t.Errorf("image %d (a %d of site %d) has levels from %d to %d only", i, training.Labels[i], training.Sites[i], lo, hi)
		}
		rim, middle := 0, 0
		for y := range Side {
			for x := range Side {
				if v := int(drawing[y*Side+x]); min(y, Side-1-y) < 2 {
					rim += v
				} else if min(x, Side-1-x) >= 2 {
					middle += v
				}
			}
		}
		rim /= 4 * Side
		middle /= (Side - 4) * (Side - 4)
		if middle <= rim {
			t.Errorf("image %d (a %d of site %d): mean level %d in the middle, %d at the rim", i, training.Labels[i], training.Sites[i], middle, rim)
		}
	}
}
