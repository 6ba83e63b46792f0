//! Random numbers that nobody can foresee.

/// So many random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    wstd::rand::get_random_bytes(&mut bytes);
    bytes
}
