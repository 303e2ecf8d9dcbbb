package main

import "os"

// identity is "": there is no such journal here.
func identity(*os.File) string { return "" }
