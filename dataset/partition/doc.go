// Package partition decides which site holds which samples: evenly mixed,
// skewed by class or by amount as in the literature, or by where the samples
// come from.
//
// An assignment gives every sample to exactly one site, leaves no site empty,
// and is a function of the scheme, the labels, the keys, the number of sites
// and the seed alone. Each site's indices are in ascending order.
package partition
