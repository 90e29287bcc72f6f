//! Arrays of vectors, one expression for each place.
//!
//! A closure would not be compiled for the processor's vectors, and an array that is filled in a loop
//! is first filled with zeros, in memory.

macro_rules! six {
    ($at:ident => $value:expr) => {
        each!($at => $value; 0 1 2 3 4 5)
    };
}

macro_rules! four {
    ($at:ident => $value:expr) => {
        each!($at => $value; 0 1 2 3)
    };
}

macro_rules! three {
    ($at:ident => $value:expr) => {
        each!($at => $value; 0 1 2)
    };
}

macro_rules! each {
    ($at:ident => $value:expr; $($number:literal)*) => {
        [$({
            let $at = $number;
            $value
        }),*]
    };
}
