#!/usr/bin/env node
// Stands before the first build too, so that an install can link it.
import '../dist/main.js';
