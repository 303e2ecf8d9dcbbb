// Package policy is what a site allows, whatever the coordinator asks.
//
// Policy.Judge is pure: the facts of a task, what a person has approved and
// the time go in, a Decision comes out. Gate is the same with a memory: it
// keeps what was offered, reads what was approved and notes every decision,
// in files that people and other processes of the site can read.
//
// What the coordinator says of itself, such as the size of a cohort, is
// believed here: a policy bounds what a site does and what leaves it.
package policy
