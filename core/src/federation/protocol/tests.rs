//! Nodes of two and three domains in one process, joined by hand.
