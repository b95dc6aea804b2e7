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

/// The parity rows of `data` into `parity`, in the fastest way, on all cores for long rows.
///
/// # Errors
/// Not K data rows or not M parity rows, or lengths that are no multiple of 64 or differ.
pub fn encode(code: Code, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodeError> {
    encoding(code, data, parity, |rows| rows.make())
}

/// The same on this core, one path and one method, for tests and measurements.
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
    encoding(code, data, parity, |rows| rows.make_by(path, method))
}

fn encoding(
    code: Code,
    data: &[&[u8]],
    parity: &mut [&mut [u8]],
    make: impl FnOnce(Rows<'_, '_>),
) -> Result<(), CodeError> {
    check_count("data", data.len(), code.k())?;
    check_count("parity", parity.len(), code.m())?;
    let rows = data.iter().map(|row| row.len()).chain(parity.iter().map(|row| row.len()));
    code::one_length(rows.enumerate())?;
    let at_hand: Vec<usize> = (0..code.k()).collect();
    let wanted: Vec<usize> = (code.k()..code.rows()).collect();
    make(Rows { code, at_hand: &at_hand, inputs: data, wanted: &wanted, outputs: parity });
    Ok(())
}

/// The rows numbered `wanted`, data or parity, into `out`, from any K or more numbered rows, in the
/// fastest way, on all cores for long rows.
///
/// # Errors
/// Fewer than K rows, numbers out of range or named twice, not as many places in `out` as rows are
/// wanted, or lengths that are no multiple of 64 or differ.
pub fn rebuild(code: Code, rows: &[(usize, &[u8])], wanted: &[usize], out: &mut [&mut [u8]]) -> Result<(), CodeError> {
    rebuilding(code, rows, wanted, out, |rows| rows.make())
}

/// The same on this core, one path and one method, for tests and measurements.
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
    rebuilding(code, rows, wanted, out, |rows| rows.make_by(path, method))
}

fn rebuilding(
    code: Code,
    rows: &[(usize, &[u8])],
    wanted: &[usize],
    out: &mut [&mut [u8]],
    make: impl FnOnce(Rows<'_, '_>),
) -> Result<(), CodeError> {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable_by_key(|&(row, _)| row);
    check_rows(code, sorted.iter().map(|&(row, _)| row).collect())?;
    check_rows(code, wanted.to_vec())?;
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
    make(Rows { code, at_hand: &at_hand, inputs: &inputs, wanted: &missing, outputs: &mut places });
    Ok(())
}

fn check_count(what: &'static str, given: usize, expected: usize) -> Result<(), CodeError> {
    if given == expected { Ok(()) } else { Err(CodeError::Rows { what, given, expected }) }
}

/// Row numbers that the code has, none twice.
fn check_rows(code: Code, mut rows: Vec<usize>) -> Result<(), CodeError> {
    rows.sort_unstable();
    rows.iter().try_for_each(|&row| code.check_row(row))?;
    match rows.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(CodeError::Twice { row: pair[0] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
