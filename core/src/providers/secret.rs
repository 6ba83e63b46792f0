//! Comparing what a caller says with what only the right caller can know.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether the two are the same, in a time that says nothing about where, or in which length, they differ.
#[must_use]
pub fn same_secret(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_the_same_bytes_are_the_same_secret(given: Vec<u8>, expected: Vec<u8>) {
            prop_assert!(same_secret(&given, &given));
            prop_assert_eq!(same_secret(&given, &expected), given == expected);
        }
    }
}
