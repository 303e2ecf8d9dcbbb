package round

// vacancies are the seats that wait for a replacement, in the order in which they
// became vacant. It is a value that is never changed.
type vacancies struct {
	turns tree[int, string] // seats, by turn
	seats tree[string, int] // turns, by seat
	last  int               // turn
}

func (v vacancies) len() int { return v.seats.len() }

func (v vacancies) has(seat string) bool {
	_, ok := v.seats.get(seat)
	return ok
}

// first is the seat whose turn is next; "": none waits.
func (v vacancies) first() string {
	_, seat, _ := v.turns.first()
	return seat
}

// add returns v with another seat, the last to be filled.
func (v vacancies) add(seat string) vacancies {
	v.last++
	v.turns, v.seats = v.turns.set(v.last, seat), v.seats.set(seat, v.last)
	return v
}

// remove returns v without a seat.
func (v vacancies) remove(seat string) vacancies {
	if turn, ok := v.seats.get(seat); ok {
		v.turns, v.seats = v.turns.remove(turn), v.seats.remove(seat)
	}
	return v
}
