//! What commands are given beside names and numbers: data in base64 or in a file, bytes in hexadecimal, hash functions.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::{Args, ValueEnum};
use hsm::mechanism::Hash;

use crate::output::Failure;

/// Data, in one of two ways.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Data {
    /// The data, in base64
    #[arg(long, value_name = "BASE64")]
    data: Option<String>,
    /// A file with the data as it is
    #[arg(long, value_name = "FILE")]
    data_path: Option<PathBuf>,
}

/// A signature, in one of two ways.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Signature {
    /// The signature, in base64
    #[arg(long, value_name = "BASE64")]
    signature: Option<String>,
    /// A file with the signature as it is
    #[arg(long, value_name = "FILE")]
    signature_path: Option<PathBuf>,
}

impl Data {
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        either("data", self.data.as_deref(), self.data_path.as_deref())
    }
}

impl Signature {
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        either("signature", self.signature.as_deref(), self.signature_path.as_deref())
    }
}

fn either(what: &str, text: Option<&str>, path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    match (text, path) {
        (Some(text), _) => {
            BASE64_STANDARD.decode(text).map_err(|_| Failure::new(format!("The {what} is not in base64")))
        }
        (None, Some(path)) => read_file(path),
        (None, None) => Err(Failure::new(format!("There is no {what}"))),
    }
}

/// Bytes in base64, as AWS's JSON has them.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The longest file that is read whole: what a device or a pipe never stops giving would fill the memory.
const LONGEST_FILE: u64 = 1 << 30;

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: cannot be read: {error}", path.display()));
    let mut content = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(LONGEST_FILE + 1).read_to_end(&mut content).map_err(|error| failed(&error))?;
    if content.len() as u64 > LONGEST_FILE {
        return Err(failed(&format!("it is longer than {LONGEST_FILE} bytes")));
    }
    Ok(content)
}

pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content)
        .map_err(|error| Failure::new(format!("{}: cannot be written: {error}", path.display())))
}

/// Bytes in hexadecimal on the command line.
#[derive(Clone)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    /// `0x` and pairs of digits; `0x` alone is no bytes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let digits = text.strip_prefix("0x")?;
            if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            digits.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
        };
        read().map(Self).ok_or_else(|| "0x and pairs of hexadecimal digits are wanted".to_owned())
    }
}

/// `0x` and lower-case digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

/// A hash function in AWS's words.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum HashFunction {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// A mask generation function in AWS's words.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Mgf {
    #[value(name = "mgf1-sha1")]
    Sha1,
    #[value(name = "mgf1-sha224")]
    Sha224,
    #[value(name = "mgf1-sha256")]
    Sha256,
    #[value(name = "mgf1-sha384")]
    Sha384,
    #[value(name = "mgf1-sha512")]
    Sha512,
}

impl From<HashFunction> for Hash {
    fn from(function: HashFunction) -> Self {
        match function {
            HashFunction::Sha1 => Self::Sha1,
            HashFunction::Sha224 => Self::Sha224,
            HashFunction::Sha256 => Self::Sha256,
            HashFunction::Sha384 => Self::Sha384,
            HashFunction::Sha512 => Self::Sha512,
        }
    }
}

impl From<Mgf> for Hash {
    fn from(function: Mgf) -> Self {
        match function {
            Mgf::Sha1 => Self::Sha1,
            Mgf::Sha224 => Self::Sha224,
            Mgf::Sha256 => Self::Sha256,
            Mgf::Sha384 => Self::Sha384,
            Mgf::Sha512 => Self::Sha512,
        }
    }
}

/// A hash function and a mask generation function, which must be of one hash.
#[derive(Args)]
pub(crate) struct HashAndMask {
    /// The hash function
    #[arg(long, value_enum)]
    pub(crate) hash_function: HashFunction,
    /// The mask generation function, of the same hash
    #[arg(long, value_enum)]
    mgf: Mgf,
}

impl HashAndMask {
    pub(crate) fn hash(&self) -> Result<Hash, Failure> {
        let hash = Hash::from(self.hash_function);
        if hash == self.mgf.into() {
            return Ok(hash);
        }
        Err(Failure::new("The hash function and the mask generation function must be of the same hash"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let read = |text| Hex::parse(text).ok().map(|hex| hex.0);
        assert_eq!(read("0x0102fF"), Some(vec![1, 2, 255]));
        assert_eq!(read("0x"), Some(vec![]));
        for wrong in ["", "01", "0x1", "0x+1", "0xgg", "0x\u{e9}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(to_hex(&[1, 2, 255]), "0x0102ff");
        assert_eq!(to_hex(&[]), "0x");
    }
}
