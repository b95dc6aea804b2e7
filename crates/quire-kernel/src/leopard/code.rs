//! What a code of K data rows and M parity rows is: its field, and where its rows stand.

use super::field::Field;
use std::fmt;

/// Rows of one code, data and parity together, at most.
pub const MAX_ROWS: usize = 65_536;

/// Rows are whole chunks of this many bytes.
pub const CHUNK_BYTES: usize = 64;

/// K data rows and M parity rows, `1 <= M <= K`.
///
/// Rows are numbered from the outside: data 0..K, then parity K..K+M. Inside, a row has a *position*,
/// which is the symbol at which the code's polynomial is evaluated: parity i stands at i, data j at
/// `span` + j. Positions between M and `span` exist in the mathematics only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    k: usize,
    m: usize,
}

/// Why a code or rows were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// No such code.
    Counts { k: usize, m: usize },
    /// Rows of a length that is zero or not whole chunks.
    Length { bytes: usize },
    /// Rows of several lengths; `row` is the first that differs.
    Lengths { row: usize, bytes: usize, expected: usize },
    /// Fewer or more rows than the code has.
    Rows { what: &'static str, given: usize, expected: usize },
    /// Fewer than K rows to rebuild from.
    TooFew { given: usize, k: usize },
    /// A row number that the code does not have.
    Row { row: usize, rows: usize },
    /// A row number that comes twice.
    Twice { row: usize },
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts { k, m } => write!(
                f,
                "there is no code of {k} data and {m} parity rows: at least one parity row, no more \
                 parity than data rows, and at most {MAX_ROWS} in all after rounding"
            ),
            Self::Length { bytes } => {
                write!(f, "rows of {bytes} bytes cannot be coded: a row is one or more chunks of {CHUNK_BYTES} bytes")
            }
            Self::Lengths { row, bytes, expected } => {
                write!(f, "row {row} has {bytes} bytes where the others have {expected}: all rows have one length")
            }
            Self::Rows { what, given, expected } => write!(f, "{given} {what} rows where the code has {expected}"),
            Self::TooFew { given, k } => {
                write!(f, "{given} rows are too few: any {k} rows are needed to rebuild others")
            }
            Self::Row { row, rows } => write!(f, "there is no row {row} in a code of {rows} rows"),
            Self::Twice { row } => write!(f, "row {row} is named twice"),
        }
    }
}

impl std::error::Error for CodeError {}

impl Code {
    /// The code of `k` data and `m` parity rows.
    ///
    /// # Errors
    /// `Counts` unless `1 <= m <= k` and `nextpow2(nextpow2(m) + k) <= 65536`.
    pub fn new(k: usize, m: usize) -> Result<Self, CodeError> {
        let fits = m >= 1 && m <= k && k <= MAX_ROWS && m.next_power_of_two() + k <= MAX_ROWS;
        if fits { Ok(Self { k, m }) } else { Err(CodeError::Counts { k, m }) }
    }

    /// Data rows.
    pub fn k(self) -> usize {
        self.k
    }

    /// Parity rows.
    pub fn m(self) -> usize {
        self.m
    }

    /// Data and parity rows.
    pub fn rows(self) -> usize {
        self.k + self.m
    }

    /// Positions kept for parity: M rounded up to a power of two.
    pub(super) fn span(self) -> usize {
        self.m.next_power_of_two()
    }

    /// Positions of the whole codeword, a power of two; those from `span` + K on are always zero.
    pub(super) fn positions(self) -> usize {
        (self.span() + self.k).next_power_of_two()
    }

    /// 8 when the positions fit into a byte, else 16. K + M <= 256 does not decide it.
    pub fn bits(self) -> u32 {
        if self.positions() <= 256 { 8 } else { 16 }
    }

    pub(super) fn field(self) -> &'static Field {
        if self.bits() == 8 { Field::of_8_bits() } else { Field::of_16_bits() }
    }

    /// Where a row stands in the codeword.
    pub(super) fn position(self, row: usize) -> usize {
        if row < self.k { self.span() + row } else { row - self.k }
    }

    /// # Errors
    /// `Row`.
    pub(super) fn check_row(self, row: usize) -> Result<(), CodeError> {
        if row < self.rows() { Ok(()) } else { Err(CodeError::Row { row, rows: self.rows() }) }
    }
}

/// The one length of all rows.
///
/// # Errors
/// `Length`, `Lengths`.
pub(super) fn one_length(mut lengths: impl Iterator<Item = (usize, usize)>) -> Result<usize, CodeError> {
    let Some((_, expected)) = lengths.next() else { return Err(CodeError::Length { bytes: 0 }) };
    if expected == 0 || !expected.is_multiple_of(CHUNK_BYTES) {
        return Err(CodeError::Length { bytes: expected });
    }
    match lengths.find(|&(_, bytes)| bytes != expected) {
        Some((row, bytes)) => Err(CodeError::Lengths { row, bytes, expected }),
        None => Ok(expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_follows_from_the_rounded_counts() {
        let bits = |k, m| Code::new(k, m).unwrap().bits();
        assert_eq!([bits(200, 56), bits(193, 64), bits(129, 127)], [16, 16, 16]);
        assert_eq!([bits(192, 64), bits(128, 128), bits(1, 1), bits(255, 1)], [8, 8, 8, 8]);
        assert_eq!(bits(256, 1), 16);
    }

    #[test]
    fn counts_that_no_code_has_are_refused() {
        for (k, m) in [(0, 0), (1, 0), (0, 1), (3, 4), (65_536, 1), (32_769, 32_768), (usize::MAX, usize::MAX)] {
            assert_eq!(Code::new(k, m), Err(CodeError::Counts { k, m }));
        }
        for (k, m) in [(1, 1), (65_535, 1), (32_768, 32_768)] {
            assert!(Code::new(k, m).is_ok());
        }
    }
}
