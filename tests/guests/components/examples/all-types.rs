//! A library with every WIT type: each function gives back what it got, and one resource counts.

use std::cell::Cell;

wit_bindgen::generate!({ world: "ringfence:guests/types", path: ["../../../wit/v0.1/host", "../wit"] });

use exports::ringfence::guests::all_types::{
    Colour, Counter, CounterBorrow, Guest as AllTypes, GuestCounter, Point, Rights, Scalars, Shape,
};

struct Library;

impl AllTypes for Library {
    type Counter = Tally;

    fn echo_scalars(value: Scalars) -> Scalars {
        value
    }
    fn echo_bool(value: bool) -> bool {
        value
    }
    fn echo_u64(value: u64) -> u64 {
        value
    }
    fn echo_s64(value: i64) -> i64 {
        value
    }
    fn echo_char(value: char) -> char {
        value
    }
    fn echo_f32(value: f32) -> f32 {
        value
    }
    fn echo_f64(value: f64) -> f64 {
        value
    }
    fn echo_string(value: String) -> String {
        value
    }
    fn echo_bytes(value: Vec<u8>) -> Vec<u8> {
        value
    }
    fn echo_record(value: Point) -> Point {
        value
    }
    fn echo_variant(value: Shape) -> Shape {
        value
    }
    fn echo_enum(value: Colour) -> Colour {
        value
    }
    fn echo_flags(value: Rights) -> Rights {
        value
    }
    fn echo_option(value: Option<u32>) -> Option<u32> {
        value
    }
    fn echo_nested_option(value: Option<Option<u32>>) -> Option<Option<u32>> {
        value
    }
    fn echo_result(value: Result<u32, String>) -> Result<u32, String> {
        value
    }
    fn bare_result(fail: bool) -> Result<(), ()> {
        if fail { Err(()) } else { Ok(()) }
    }
    fn echo_list(value: Vec<Point>) -> Vec<Point> {
        value
    }
    fn echo_tuple(value: (u8, String, bool)) -> (u8, String, bool) {
        value
    }
    fn nothing(_a: u32, _b: String) {}
}

impl Guest for Library {
    fn greet(name: String) -> String {
        format!("hello {name}")
    }
}

/// The counter: its value changes, its handle does not.
struct Tally(Cell<u64>);

impl GuestCounter for Tally {
    fn new(first: u64) -> Self {
        Self(Cell::new(first))
    }
    fn add(&self, by: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(by));
        self.0.get()
    }
    fn value(&self) -> u64 {
        self.0.get()
    }
    fn sum(left: CounterBorrow<'_>, right: CounterBorrow<'_>) -> Counter {
        let (left, right) = (left.get::<Self>().value(), right.get::<Self>().value());
        Counter::new(Self::new(left.wrapping_add(right)))
    }
}

export!(Library);
