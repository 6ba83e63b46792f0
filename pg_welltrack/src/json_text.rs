//! `json_text`: a `jsonb` as text, unless that would be too long.
//!
//! Promises: no more memory than a few times the limit. `jsonb` keeps 1e131000 in ten bytes and writes it out with 131,001
//! digits, so the size of a value says nothing of its text, and a cast to text ends where the server's memory does. Stops at
//! length: what the text means is its reader's.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys::{JsonbIteratorToken as Token, jbvType as Kind};
use pgrx::prelude::*;
use pgrx::{direct_function_call, impl_sql_translatable};

/// A `jsonb`, unpacked but not taken apart.
struct Stored(*mut pg_sys::Jsonb);

impl_sql_translatable!(Stored, "jsonb");

impl FromDatum for Stored {
    #[expect(unsafe_code, reason = "unpacks a value, as every C function does")]
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller says that the datum is a jsonb.
        (!is_null).then(|| Stored(unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) }.cast()))
    }
}

#[expect(unsafe_code, reason = "the trait is unsafe; the datum is the jsonb that the SQL declares")]
unsafe impl<'fcx> ArgAbi<'fcx> for Stored {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as the trait asks of the caller.
        unsafe { arg.unbox_arg_using_from_datum() }.expect("a strict function is given no null")
    }
}

/// The text of `json` without spaces; NULL where it would be longer than `max_bytes`.
///
/// Errors: none. Source: `JsonbIteratorNext`, through which the cast to text goes as well.
#[pg_extern(immutable, strict, parallel_safe)]
#[expect(unsafe_code, reason = "walks the value with the server's own iterator")]
fn json_text(json: Stored, max_bytes: i32) -> Option<String> {
    let max_bytes = usize::try_from(max_bytes).ok()?;
    let mut text = String::new();
    let mut value = MaybeUninit::<pg_sys::JsonbValue>::zeroed();
    // SAFETY: the value was unpacked for this call and is not changed. The iterator fills in `value` for each token that has one;
    // all zeroes, it is a null.
    unsafe {
        let mut tokens = pg_sys::JsonbIteratorInit(&mut (*json.0).root);
        // A text or a number by itself is kept as an array of one.
        let mut is_alone = false;
        loop {
            let token = pg_sys::JsonbIteratorNext(&mut tokens, value.as_mut_ptr(), false);
            let value = value.assume_init_ref();
            // The last byte of a finished item is never one of these.
            let is_next = !matches!(text.as_bytes().last(), None | Some(b'[' | b'{' | b':'));
            if is_next && !matches!(token, Token::WJB_END_ARRAY | Token::WJB_END_OBJECT | Token::WJB_DONE) {
                text.push(',');
            }
            match token {
                Token::WJB_BEGIN_ARRAY if value.val.array.rawScalar => is_alone = true,
                Token::WJB_BEGIN_ARRAY => text.push('['),
                Token::WJB_END_ARRAY if is_alone => {}
                Token::WJB_END_ARRAY => text.push(']'),
                Token::WJB_BEGIN_OBJECT => text.push('{'),
                Token::WJB_END_OBJECT => text.push('}'),
                Token::WJB_KEY => {
                    write_scalar(value, &mut text);
                    text.push(':');
                }
                Token::WJB_VALUE | Token::WJB_ELEM => write_scalar(value, &mut text),
                _ => return Some(text),
            }
            if text.len() > max_bytes {
                return None;
            }
        }
    }
}

/// # Safety
///
/// A scalar as the iterator gives it.
#[expect(unsafe_code, reason = "reads the union that its type tells apart")]
unsafe fn write_scalar(value: &pg_sys::JsonbValue, text: &mut String) {
    // SAFETY: each member of the union is read where the type says that it is the one; a text is `len` bytes long.
    unsafe {
        match value.type_ {
            Kind::jbvString => {
                let string = value.val.string;
                let bytes =
                    std::slice::from_raw_parts(string.val.cast(), usize::try_from(string.len).unwrap_or(0));
                let string = String::from_utf8_lossy(bytes);
                text.push_str(&serde_json::to_string(&string).expect("a text can be written as JSON"));
            }
            Kind::jbvNumeric => {
                let number: Option<&CStr> =
                    direct_function_call(pg_sys::numeric_out, &[Some(value.val.numeric.into())]);
                text.push_str(&number.map(CStr::to_string_lossy).unwrap_or_default());
            }
            Kind::jbvBool => text.push_str(if value.val.boolean { "true" } else { "false" }),
            _ => text.push_str("null"),
        }
    }
}
