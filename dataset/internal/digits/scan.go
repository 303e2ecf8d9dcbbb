package digits

import "math/rand/v2"

// fine is the steps of a grey level while an image is filtered.
const fine = 16

// scan turns ink into grey levels: paper under uneven light, the scanner's
// optics, its noise, and dust.
func (p *pen) scan(dst []uint8, s style, r *rand.Rand) {
	paper := s.paper + between(r, -12, 12)
	ink := s.ink + between(r, -12, 12)
	for y := range Side {
		light := fine * (2*y + 1 - Side) * s.lightY / (2 * Side)
		for x := range Side {
			i := y*Side + x
			p.level[i] = fine*(paper*255+(ink-paper)*p.cover[i])/255 + light + fine*(2*x+1-Side)*s.lightX/(2*Side)
		}
	}
	if s.grain {
		p.addNoise(2*s.noise, r)
	}
	for range s.blur {
		p.filter()
	}
	if !s.grain {
		p.addNoise(s.noise, r)
	}
	p.addBands(s.bands, r)
	for range s.specks {
		p.level[r.IntN(len(p.level))] = fine * r.IntN(256)
	}
	for i, v := range p.level {
		dst[i] = s.quantise(clamp((v+fine/2)/fine, 255))
	}
}

// quantise rounds a grey level to the nearest that the scanner knows.
func (s *style) quantise(level int) uint8 {
	if s.depth == 0 {
		return uint8(level)
	}
	last := s.depth - 1
	return uint8((2*level*last + 255) / (2 * 255) * 255 / last)
}

// filter smooths the image by the binomial weights ¼ ½ ¼ along both axes;
// borders are repeated.
func (p *pen) filter() {
	for y := range Side {
		row, out := p.level[y*Side:][:Side], p.spare[y*Side:][:Side]
		for x := range row {
			out[x] = row[max(x-1, 0)] + 2*row[x] + row[min(x+1, Side-1)]
		}
	}
	for y := range Side {
		above, here, below := p.spare[max(y-1, 0)*Side:], p.spare[y*Side:], p.spare[min(y+1, Side-1)*Side:]
		for x := range Side {
			p.level[y*Side+x] = (above[x] + 2*here[x] + below[x]) / 16
		}
	}
}

// addNoise adds to each pixel a number of the given standard deviation.
func (p *pen) addNoise(deviation int, r *rand.Rand) {
	for i := range p.level {
		p.level[i] += normal(fine*deviation, r)
	}
}

// addBands adds the same number to all pixels of a line; no deviation, no bands.
func (p *pen) addBands(deviation int, r *rand.Rand) {
	if deviation <= 0 {
		return
	}
	for y := range Side {
		band := normal(fine*deviation, r)
		for x := range Side {
			p.level[y*Side+x] += band
		}
	}
}

// normal returns a nearly normal number of the given standard deviation: the
// sum of eight random bytes, whose variance is 8·(256²-1)/12.
func normal(deviation int, r *rand.Rand) int {
	const mean, scale = 8 * 255 / 2, 209 // √43690
	sum := 0
	for bits := r.Uint64(); bits != 0; bits >>= 8 {
		sum += int(bits & 0xff)
	}
	return (sum - mean) * deviation / scale
}
