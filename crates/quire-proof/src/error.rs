//! What can be wrong with a key, a witness or a proof.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A circuit file or a witness file that does not decode, or does not fit the other file.
    Malformed(String),
    /// A key that is cut off, damaged, of another curve or of another circuit.
    BadKey(String),
    /// A proof or a public input that is no encoding of points or field elements.
    BadProof(String),
    /// The proof made from this witness does not verify.
    WitnessDoesNotSatisfy(String),
    /// The caller's flag was set.
    Cancelled,
    /// The system refused a file.
    Io(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed(why)
            | Error::BadKey(why)
            | Error::BadProof(why)
            | Error::WitnessDoesNotSatisfy(why)
            | Error::Io(why) => f.write_str(why),
            Error::Cancelled => f.write_str("the work was cancelled"),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Io(error.to_string())
    }
}
