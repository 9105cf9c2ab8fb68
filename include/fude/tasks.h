// Tasks: questions with exact answers, and the judge of an answer.
#pragma once

#include "tasks/task.h"
