// Package model describes a network, names its weights and holds them.
//
// A Spec lists layers in Keras' terms; a Contract is what every file of
// weights of a run must look like; Params are such weights, in order, in one
// flat slice; a Network computes with them. Invariants: a Spec's hash and a
// Contract's hash do not depend on spelling (YAML or JSON, defaults written out
// or not); a Params' digest covers tensors and contract only, never time, host
// or run; nothing is accepted that does not fit its contract to the element.
package model
