//! Cuts and compares texts.

/// Returns whether two texts are equal. Used for short texts on hot paths, where a call of `memcmp`
/// costs more than the comparison.
#[inline(always)]
pub(crate) fn same(left: &str, right: &str) -> bool {
    same_bytes(left.as_bytes(), right.as_bytes())
}

/// Returns whether two byte strings are equal. Compares the first and the last N bytes, which
/// overlap if the length is less than twice N.
#[inline(always)]
pub(crate) fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let ends = match left.len() {
        0..4 => return left.iter().zip(right).all(|(one, other)| one == other),
        4..8 => ends::<4>(left, right),
        8..=16 => ends::<8>(left, right),
        17..=32 => ends::<16>(left, right),
        _ => return left == right,
    };
    ends == Some(true)
}

#[inline(always)]
fn ends<const N: usize>(left: &[u8], right: &[u8]) -> Option<bool> {
    Some(
        (left.first_chunk::<N>()? == right.first_chunk()?)
            & (left.last_chunk::<N>()? == right.last_chunk()?),
    )
}

/// Returns the first 80 characters, [`printable`](crate::util::printable::printable()), so that
/// messages never repeat a megabyte of a caller's input.
pub(crate) fn short(text: &str) -> String {
    crate::util::printable::printable(&cut(text))
}

pub(crate) fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(80).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use super::same;

    #[test]
    fn texts_are_equal_if_all_bytes_are() {
        let text = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for len in 0..text.len() {
            let one = text.get(..len).expect("ascii");
            assert!(same(one, one) && !same(one, text));
            for at in 0..len {
                let mut other = one.to_owned().into_bytes();
                other[at] ^= 1;
                assert!(
                    !same(one, std::str::from_utf8(&other).expect("ascii")),
                    "{len} {at}"
                );
            }
        }
    }
}
