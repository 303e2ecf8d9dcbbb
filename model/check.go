package model

import "fmt"

// The checks of single values; shapes are checked when layers are built.

func (c Conv2DSpec) check() error {
	if err := checkSize("filters", c.Filters); err != nil {
		return err
	}
	if c.Padding != Valid && c.Padding != Same {
		return fmt.Errorf("padding %q is unknown: use %s or %s", c.Padding, Valid, Same)
	}
	if err := c.Activation.check(); err != nil {
		return err
	}
	return c.KernelInitializer.check()
}

func (d DenseSpec) check() error {
	if err := checkSize("units", d.Units); err != nil {
		return err
	}
	if err := d.Activation.check(); err != nil {
		return err
	}
	return d.KernelInitializer.check()
}

func (a Activation) check() error {
	switch a {
	case Linear, ReLU, Softmax:
		return nil
	}
	return fmt.Errorf("activation %q is unknown: use %s, %s or %s", string(a), Linear, ReLU, Softmax)
}

func (i Initializer) check() error {
	switch i {
	case GlorotUniform, HeUniform, HeNormal:
		return nil
	}
	return fmt.Errorf("kernel_initializer %q is unknown: use %s, %s or %s", string(i), GlorotUniform, HeUniform, HeNormal)
}

func checkSize(key string, n int) error {
	if n < 1 || n > maxSize {
		return fmt.Errorf("%s is %d, must lie in 1…%d", key, n, maxSize)
	}
	return nil
}
