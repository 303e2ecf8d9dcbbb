package config

import "strings"

// suggest returns the known path that the unknown one was probably meant to
// be, or "" when none is near. Fewer edits of the key win; among equals, a key
// of the same section wins.
func suggest(unknown string, known []string) string {
	section, key := splitPath(unknown)
	best, bestCost := "", 0
	for _, candidate := range known {
		candidateSection, candidateKey := splitPath(candidate)
		edits := distance(strings.ToLower(key), candidateKey)
		if edits > min(2, len(candidateKey)/2) { // another word
			continue
		}
		cost := 2 * edits
		if candidateSection != section {
			cost++
		}
		if best == "" || cost < bestCost {
			best, bestCost = candidate, cost
		}
	}
	return best
}

// splitPath cuts "local.lr" into "local" and "lr".
func splitPath(path string) (section, key string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// distance is the Levenshtein distance of a and b in bytes: how many
// insertions, deletions and replacements turn one into the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
