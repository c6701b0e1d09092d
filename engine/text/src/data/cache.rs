//! Corpora on disk: ids, which of them are trained, and the report; checked by hash when they are read.
//!
//! A file is the magic, the report's length and JSON, the sequences for training, those for validation, the weights of
//! both, and the SHA-256 of all that. Numbers are little-endian.

use super::{Corpus, DataReport, IGNORE, Sequence};
use framework_base::files::atomically;
use framework_base::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, Write},
    path::Path,
};

const MAGIC: &[u8; 8] = b"FWTOKEN2";
const HASH: u64 = 32;

/// Writes a corpus. False if it has labels that are neither ignored nor the ids themselves: such are not kept.
pub fn write(path: &Path, corpus: &Corpus) -> Result<bool> {
    let all = || corpus.train.iter().chain(&corpus.validation);
    if !all().all(plain) {
        return Ok(false);
    }
    let report = serde_json::to_vec(&corpus.report).map_err(|e| Error::failed(e.to_string()))?;
    atomically(path, |file| {
        let mut file = Hashing { inner: file, hash: Sha256::new() };
        let mut put = || -> io::Result<()> {
            file.write_all(MAGIC)?;
            file.write_all(&(report.len() as u64).to_le_bytes())?;
            file.write_all(&report)?;
            for set in [&corpus.train, &corpus.validation] {
                file.write_all(&(set.len() as u64).to_le_bytes())?;
                let mut bytes = Vec::new();
                for sequence in set {
                    bytes.clear();
                    encode(sequence, &mut bytes);
                    file.write_all(&bytes)?;
                }
            }
            for weights in [&corpus.train_weights, &corpus.validation_weights] {
                file.write_all(&(weights.len() as u64).to_le_bytes())?;
                let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
                file.write_all(&bytes)?;
            }
            let hash = file.hash.clone().finalize();
            file.inner.write_all(&hash)
        };
        put().map_err(|e| Error::io("write", path, e))
    })?;
    Ok(true)
}

/// Reads a corpus, or says why it cannot be used.
pub fn read(path: &Path) -> Result<Corpus, String> {
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    whole(&mut file).map_err(|e| e.to_string())?;
    parse(BufReader::with_capacity(1 << 20, file)).map_err(|e| e.to_string())
}

/// Whether the file's hash is that of its content.
fn whole(file: &mut File) -> io::Result<()> {
    let size = file.metadata()?.len();
    let content = size.checked_sub(HASH).ok_or_else(|| damaged("it is too short"))?;
    let mut hash = Hashing { inner: io::sink(), hash: Sha256::new() };
    io::copy(&mut BufReader::with_capacity(1 << 20, &mut *file).take(content), &mut hash)?;
    file.seek(io::SeekFrom::Start(content))?;
    let mut expected = Vec::new();
    file.read_to_end(&mut expected)?;
    file.rewind()?;
    if hash.hash.finalize()[..] == expected[..] { Ok(()) } else { Err(damaged("its hash is another")) }
}

fn parse(mut file: impl Read) -> io::Result<Corpus> {
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(damaged("it does not begin as it should"));
    }
    let mut report = vec![0; long(&mut file)?];
    file.read_exact(&mut report)?;
    let report: DataReport = serde_json::from_slice(&report)?;
    let mut set = || -> io::Result<Vec<Sequence>> {
        let count = long(&mut file)?;
        (0..count).map(|_| decode(&mut file)).collect()
    };
    let (train, validation) = (set()?, set()?);
    let mut weights = || -> io::Result<Vec<f32>> {
        let count = long(&mut file)?;
        Ok(numbers(&mut file, count)?.into_iter().map(f32::from_bits).collect())
    };
    let (train_weights, validation_weights) = (weights()?, weights()?);
    Ok(Corpus { train, validation, train_weights, validation_weights, report })
}

/// Whether each label is ignored or the id itself.
fn plain(sequence: &Sequence) -> bool {
    let same = |(id, label): (&u32, &i32)| *label == IGNORE || *label == *id as i32;
    sequence.ids.len() == sequence.labels.len() && sequence.ids.iter().zip(&sequence.labels).all(same)
}

/// Number of ids, ids, and from where to where they are, by turns, ignored and trained.
fn encode(sequence: &Sequence, bytes: &mut Vec<u8>) {
    let mut put = |number: u32| bytes.extend(number.to_le_bytes());
    put(sequence.ids.len() as u32);
    sequence.ids.iter().for_each(|id| put(*id));
    let runs: Vec<_> = sequence.labels.chunk_by(|a, b| (*a == IGNORE) == (*b == IGNORE)).collect();
    let trained_first = u32::from(runs.first().is_some_and(|run| run[0] != IGNORE));
    put(runs.len() as u32 * 2 + trained_first);
    runs.iter().for_each(|run| put(run.len() as u32));
}

fn decode(file: &mut impl Read) -> io::Result<Sequence> {
    let ids = numbers(file, 1).and_then(|n| numbers(file, n[0] as usize))?;
    let runs = numbers(file, 1)?[0];
    let mut trained = runs % 2 == 1;
    let mut labels = Vec::with_capacity(ids.len());
    for run in numbers(file, runs as usize / 2)? {
        let end = (labels.len() + run as usize).min(ids.len());
        let label = |id: &u32| if trained { *id as i32 } else { IGNORE };
        let part: Vec<_> = ids[labels.len()..end].iter().map(label).collect();
        labels.extend(part);
        trained = !trained;
    }
    if labels.len() == ids.len() { Ok(Sequence { ids, labels }) } else { Err(damaged("labels are missing")) }
}

fn numbers(file: &mut impl Read, count: usize) -> io::Result<Vec<u32>> {
    let mut bytes = vec![0; 4 * count];
    file.read_exact(&mut bytes)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}

fn long(file: &mut impl Read) -> io::Result<usize> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    usize::try_from(u64::from_le_bytes(bytes)).map_err(io::Error::other)
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Writes and hashes.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn corpus() -> Corpus {
        let sequence = |ids: &[u32], labels: &[i32]| Sequence { ids: ids.into(), labels: labels.into() };
        let train = vec![
            sequence(&[5, 6, 7, 8], &[-100, -100, 7, 8]),
            sequence(&[5, 6, 7], &[5, -100, 7]),
            sequence(&[], &[]),
            sequence(&[1], &[1]),
        ];
        let mut report = DataReport::default();
        report.train.kept = 4;
        let validation = vec![sequence(&[9, 9], &[-100, -100])];
        let train_weights = vec![1.0, -1.0, 0.5, 2.0];
        Corpus { train, validation, train_weights, report, ..Corpus::default() }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for corpus in [corpus(), Corpus::default()] {
            assert!(write(&path, &corpus).unwrap());
            assert_eq!(read(&path).unwrap(), corpus);
        }
        let mut other = corpus();
        other.train[0].labels[2] = 3;
        assert!(!write(&path, &other).unwrap(), "labels that are not the ids");
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, &corpus()).unwrap();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert!(read(&path).is_err(), "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert!(read(&path).is_err(), "cut at {at}");
        }
    }
}
