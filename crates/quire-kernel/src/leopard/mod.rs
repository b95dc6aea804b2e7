//! Leopard Reed-Solomon: K data rows, M parity rows, any K of which give all others.
//!
//! Byte for byte the code of the C++ library "leopard" in both of its fields. Rows have one length, a
//! multiple of 64 bytes; coding goes by columns, so rows may be joined and cut at any such multiple.

mod code;
mod coefficients;
mod field;
mod path;
mod run;
mod simd;
mod skews;

pub use code::{CHUNK_BYTES, Code, CodeError, MAX_ROWS};
pub use path::Path;
pub use run::Method;

use run::Rows;

/// The parity rows of `data` into `parity`.
///
/// # Errors
/// Not K data rows or not M parity rows, or lengths that are no multiple of 64 or differ.
pub fn encode(code: Code, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodeError> {
    encode_by(Path::best(), Method::Matrix, code, data, parity)
}

/// The same on one path by one method, for tests and measurements.
///
/// # Errors
/// As [`encode`].
pub fn encode_by(
    path: Path,
    method: Method,
    code: Code,
    data: &[&[u8]],
    parity: &mut [&mut [u8]],
) -> Result<(), CodeError> {
    check_count("data", data.len(), code.k())?;
    check_count("parity", parity.len(), code.m())?;
    let rows = data.iter().map(|row| row.len()).chain(parity.iter().map(|row| row.len()));
    code::one_length(rows.enumerate())?;
    let at_hand: Vec<usize> = (0..code.k()).collect();
    let wanted: Vec<usize> = (code.k()..code.rows()).collect();
    Rows { code, method, at_hand: &at_hand, inputs: data, wanted: &wanted, outputs: parity }.make(path);
    Ok(())
}

/// The rows numbered `wanted`, data or parity, into `out`, from any K or more numbered rows.
///
/// # Errors
/// Fewer than K rows, numbers out of range or named twice, not as many places in `out` as rows are
/// wanted, or lengths that are no multiple of 64 or differ.
pub fn rebuild(code: Code, rows: &[(usize, &[u8])], wanted: &[usize], out: &mut [&mut [u8]]) -> Result<(), CodeError> {
    rebuild_by(Path::best(), Method::Matrix, code, rows, wanted, out)
}

/// The same on one path by one method, for tests and measurements.
///
/// # Errors
/// As [`rebuild`].
pub fn rebuild_by(
    path: Path,
    method: Method,
    code: Code,
    rows: &[(usize, &[u8])],
    wanted: &[usize],
    out: &mut [&mut [u8]],
) -> Result<(), CodeError> {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable_by_key(|&(row, _)| row);
    check_rows(code, sorted.iter().map(|&(row, _)| row))?;
    let mut wanted_sorted = wanted.to_vec();
    wanted_sorted.sort_unstable();
    check_rows(code, wanted_sorted.into_iter())?;
    if rows.len() < code.k() {
        return Err(CodeError::TooFew { given: rows.len(), k: code.k() });
    }
    check_count("wanted", out.len(), wanted.len())?;
    let given = sorted.iter().map(|&(row, bytes)| (row, bytes.len()));
    code::one_length(given.chain(wanted.iter().zip(out.iter()).map(|(&row, bytes)| (row, bytes.len()))))?;

    let (mut missing, mut places) = (Vec::new(), Vec::new());
    for (&row, place) in wanted.iter().zip(out) {
        match sorted.binary_search_by_key(&row, |&(row, _)| row) {
            Ok(found) => place.copy_from_slice(sorted[found].1),
            Err(_) => {
                missing.push(row);
                places.push(&mut **place);
            }
        }
    }
    sorted.truncate(code.k());
    let (at_hand, inputs): (Vec<usize>, Vec<&[u8]>) = sorted.into_iter().unzip();
    Rows { code, method, at_hand: &at_hand, inputs: &inputs, wanted: &missing, outputs: &mut places }.make(path);
    Ok(())
}

fn check_count(what: &'static str, given: usize, expected: usize) -> Result<(), CodeError> {
    if given == expected { Ok(()) } else { Err(CodeError::Rows { what, given, expected }) }
}

/// Of sorted row numbers.
fn check_rows(code: Code, rows: impl Iterator<Item = usize>) -> Result<(), CodeError> {
    let mut before = None;
    for row in rows {
        code.check_row(row)?;
        if before == Some(row) {
            return Err(CodeError::Twice { row });
        }
        before = Some(row);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
