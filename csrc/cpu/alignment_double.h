// The alignment in double precision: plain loops, for checking the fast forms and for reading.
#pragma once

#include "gban/alignment.h"

namespace gban {

// Utterance b of the batch; lengths were checked.
void align_double(const AlignForward<double>& a, std::int64_t b);

}  // namespace gban
