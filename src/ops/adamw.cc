#include "ops/adamw.h"
