//! What an instance is sent from: an error in the middle cannot be taken back, and ends the association (PS3.7 6.3.1, PS3.8
//! Annex E). So the beginning is there before the command goes out, and the end is one that can be sent.

use archive::{ByteStream, ReadError};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// Bytes that are there at least: what cannot be written anew fails in the attributes, as a rule, or in the first frame.
const BEGINNING_BYTES: usize = 256 * 1024;

/// Reads the beginning, or all of it when it is short.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn begun(mut data_set: ByteStream) -> Result<ByteStream, ReadError> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while length < BEGINNING_BYTES {
        let Some(bytes) = data_set.try_next().await? else { break };
        length += bytes.len();
        pieces.push(Ok(bytes));
    }
    Ok(stream::iter(pieces).chain(data_set).boxed())
}

/// With a zero byte behind its end when its length is odd, which no fragment could carry (PS3.8 E.1). What is written anew
/// may be odd though what is kept is not: values of odd length stay as they are, and the byte behind them is left out.
pub(crate) fn even(data_set: ByteStream) -> ByteStream {
    let padded = stream::try_unfold((Some(data_set), false), |(data_set, is_odd)| async move {
        let Some(mut data_set) = data_set else { return Ok(None) };
        Ok::<_, ReadError>(match data_set.try_next().await? {
            Some(bytes) => {
                let is_odd = is_odd != (bytes.len() % 2 == 1);
                Some((bytes, (Some(data_set), is_odd)))
            }
            None => is_odd.then(|| (Bytes::from_static(&[0]), (None, false))),
        })
    });
    padded.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_set(pieces: Vec<Result<Bytes, ReadError>>) -> ByteStream {
        stream::iter(pieces).boxed()
    }

    async fn whole(data_set: ByteStream) -> Vec<u8> {
        let pieces: Vec<Bytes> = data_set.try_collect().await.expect("readable");
        pieces.concat()
    }

    #[tokio::test]
    async fn every_length_becomes_even() {
        let cases: [(&[&[u8]], &[u8]); 5] = [
            (&[], b""),
            (&[b"ab", b"cd"], b"abcd"),
            (&[b"abc", b"d"], b"abcd"),
            (&[b"abc", b"", b"de"], b"abcde\0"),
            (&[b"a"], b"a\0"),
        ];
        for (pieces, expected) in cases {
            let pieces = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            assert_eq!(whole(even(data_set(pieces))).await, expected);
        }
        let broken = vec![Ok(Bytes::from_static(b"a")), Err(ReadError::NoSuchBulkData)];
        let read: Result<Vec<Bytes>, _> = even(data_set(broken)).try_collect().await;
        assert!(read.is_err(), "what broke off is not padded");
    }

    #[tokio::test]
    async fn what_breaks_off_at_the_beginning_has_not_begun() {
        let piece = || Ok(Bytes::from(vec![7_u8; BEGINNING_BYTES / 2]));
        let broken = || Err(ReadError::NoSuchBulkData);
        assert!(begun(data_set(vec![piece(), broken()])).await.is_err());
        let late = begun(data_set(vec![piece(), piece(), broken()])).await.expect("begun");
        assert_eq!(late.filter(|read| std::future::ready(read.is_ok())).count().await, 2);
        let short = begun(even(data_set(vec![Ok(Bytes::from_static(b"abc"))]))).await.expect("begun");
        assert_eq!(whole(short).await, b"abc\0");
    }
}
