//! What messages name, and how to put it right.

use super::{ADD, Fixture, check};
