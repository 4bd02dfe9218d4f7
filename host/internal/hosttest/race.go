//go:build race

package hosttest

// Race tells whether the race detector watches: what repeats itself by the hundred repeats itself
// less often then.
const Race = true
