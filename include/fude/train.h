// Training: the loop with its checkpoints, or its parts (a step's gradients, the optimiser, the schedule).
#pragma once

#include "train/trainer.h"
