package participant

// activity is what a participant is doing.
type activity struct {
	run   string // of the task in training; "" between trainings
	round int
	load  int // tasks in training or waiting for it
}

// activity tells what is being done just now.
func (w *worker) activity() activity {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := activity{load: len(w.queue)}
	if w.current != nil {
		a.run, a.round = w.current.Run, w.current.Round
		a.load++
	}
	return a
}
