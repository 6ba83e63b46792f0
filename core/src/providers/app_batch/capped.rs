//! JSON arrays of which only so many elements are kept.
//!
//! The cap bounds memory: a hundred megabytes of commas don't become a gigabyte of pointers. The caller decides whether
//! too many elements are an error.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

/// The first `CAP` elements, and how many there were.
pub(super) struct Capped<T, const CAP: usize> {
    pub(super) kept: Vec<T>,
    pub(super) count: usize,
}

impl<'de, T: Deserialize<'de>, const CAP: usize> Deserialize<'de> for Capped<T, CAP> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Collect(PhantomData))
    }
}

struct Collect<T, const CAP: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const CAP: usize> Visitor<'de> for Collect<T, CAP> {
    type Value = Capped<T, CAP>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < CAP {
            match sequence.next_element()? {
                Some(element) => kept.push(element),
                None => break,
            }
        }
        let mut count = kept.len();
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Capped { kept, count })
    }
}
