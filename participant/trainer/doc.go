// Package trainer trains a model on a site's data: with the built-in engine
// (Builtin), or with the site's own program over files (Exec).
//
// A trainer changes the parameters it is given and nothing else; what it
// draws at random depends on the task alone. When it will not train a task at
// all, its error wraps ErrDeclined.
package trainer
