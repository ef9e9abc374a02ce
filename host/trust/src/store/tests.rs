//! What layers say together.
