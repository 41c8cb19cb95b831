//! A small random source. A seed gives the same programs on every machine.

/// SplitMix64 from a seed, or the bytes of a fuzzer, which then drive the generator.
pub struct Random(Source);

enum Source {
    Seed(u64),
    Bytes(std::vec::IntoIter<u8>),
}

/// Returns the number that tests with random inputs add to their seeds: the variable `SUBLET_SEED`,
/// or 0.
#[must_use]
pub fn seed() -> u64 {
    let seed = std::env::var("SUBLET_SEED").ok();
    seed.and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

impl Random {
    /// Returns a source that starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Source::Seed(seed))
    }

    /// Returns a source of these bytes, followed by zeros.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Source::Bytes(bytes.into_iter()))
    }

    /// Returns the next 64 bits. A source of bytes returns its next 16 bits as the lowest ones.
    pub fn bits(&mut self) -> u64 {
        match &mut self.0 {
            Source::Seed(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                z ^ (z >> 31)
            }
            Source::Bytes(bytes) => {
                u64::from(bytes.next().unwrap_or(0)) | u64::from(bytes.next().unwrap_or(0)) << 8
            }
        }
    }

    /// Returns a number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        match &mut self.0 {
            Source::Bytes(bytes) if n <= 256 => usize::from(bytes.next().unwrap_or(0)) % n,
            _ => (self.bits() % n as u64) as usize,
        }
    }

    /// Returns true once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Returns one of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
