// SPDX-License-Identifier: Apache-2.0
//! A small C interface around the `tokenizers` crate; src/input/tokenizer.cc is its only caller.
//! No panic crosses it: each entry point catches and reports it as an error string.

use std::any::Any;
use std::ffi::{c_char, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::slice;

use tokenizers::{PaddingDirection, Tokenizer, TruncationDirection};

/// A tokenizer whose truncation is applied here, so that a caller can lower the limit per text.
pub struct WattwiseTokenizer {
    inner: Tokenizer,
    max_tokens: usize,
    direction: TruncationDirection,
    pad_id: i64,
    pad_left: bool,
}

/// UTF-8 or JSON that the caller keeps alive during a call.
#[repr(C)]
pub struct WattwiseText {
    data: *const u8,
    length: usize,
}

/// Arrays of `count` numbers each, owned by the caller until wattwise_tokens_free.
#[repr(C)]
pub struct WattwiseTokens {
    count: usize,
    truncated: u8,
    ids: *mut i64,
    mask: *mut i64,
    type_ids: *mut i64,
}

fn report(error: *mut *mut c_char, message: String) {
    if error.is_null() {
        return;
    }
    let line = message.replace(['\0', '\n'], " ");
    let text = CString::new(line).unwrap_or_default();
    unsafe { *error = text.into_raw() };
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let known = payload.downcast_ref::<String>().cloned();
    let text = known.or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()));
    format!("internal failure: {}", text.unwrap_or_default())
}

/// Runs `body`; on an error or a panic reports it and gives `failed`.
fn guarded<T>(error: *mut *mut c_char, failed: T, body: impl FnOnce() -> Result<T, String>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(message)) => {
            report(error, message);
            failed
        }
        Err(payload) => {
            report(error, panic_text(payload));
            failed
        }
    }
}

unsafe fn bytes_of<'a>(text: WattwiseText) -> &'a [u8] {
    if text.length == 0 {
        &[]
    } else {
        slice::from_raw_parts(text.data, text.length)
    }
}

fn load(json: &[u8]) -> Result<WattwiseTokenizer, String> {
    let mut inner = Tokenizer::from_bytes(json).map_err(|e| e.to_string())?;
    let (max_tokens, direction) = match inner.get_truncation() {
        Some(params) => (params.max_length, params.direction),
        None => (0, TruncationDirection::Right),
    };
    let (pad_id, pad_left) = match inner.get_padding() {
        Some(params) => (params.pad_id as i64, matches!(params.direction, PaddingDirection::Left)),
        None => {
            let known = ["[PAD]", "<pad>"].iter().find_map(|token| inner.token_to_id(token));
            (known.map_or(0, i64::from), false)
        }
    };
    inner.with_truncation(None).map_err(|e| e.to_string())?;
    inner.with_padding(None);
    Ok(WattwiseTokenizer { inner, max_tokens, direction, pad_id, pad_left })
}

fn into_array(numbers: &[u32]) -> *mut i64 {
    let wide: Box<[i64]> = numbers.iter().map(|&n| i64::from(n)).collect();
    Box::into_raw(wide) as *mut i64
}

unsafe fn free_array(data: *mut i64, count: usize) {
    if !data.is_null() {
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(data, count)));
    }
}

fn encode(
    tokenizer: &WattwiseTokenizer,
    text: &str,
    limit: usize,
) -> Result<WattwiseTokens, String> {
    let inner = &tokenizer.inner;
    let mut encoding = inner.encode(text, false).map_err(|e| e.to_string())?;
    let limits = [tokenizer.max_tokens, limit];
    let limit = limits.into_iter().filter(|&n| n > 0).min().unwrap_or(usize::MAX);
    let added = inner.get_post_processor().map_or(0, |p| {
        use tokenizers::PostProcessor;
        p.added_tokens(false)
    });
    let room = limit.saturating_sub(added);
    let truncated = encoding.get_ids().len() > room;
    if truncated {
        encoding.truncate(room, 0, tokenizer.direction);
    }
    let encoding = inner.post_process(encoding, None, true).map_err(|e| e.to_string())?;
    Ok(WattwiseTokens {
        count: encoding.get_ids().len(),
        truncated: u8::from(truncated),
        ids: into_array(encoding.get_ids()),
        mask: into_array(encoding.get_attention_mask()),
        type_ids: into_array(encoding.get_type_ids()),
    })
}

/// Parses a tokenizer.json; null after an error.
///
/// # Safety
/// `json.data` points to `json.length` bytes; `error` is null or receives a string that
/// wattwise_string_free takes back.
#[no_mangle]
pub unsafe extern "C" fn wattwise_tokenizer_new(
    json: WattwiseText,
    error: *mut *mut c_char,
) -> *mut WattwiseTokenizer {
    guarded(error, ptr::null_mut(), || {
        load(bytes_of(json)).map(|tokenizer| Box::into_raw(Box::new(tokenizer)))
    })
}

/// # Safety
/// `tokenizer` came from wattwise_tokenizer_new and is not used afterwards.
#[no_mangle]
pub unsafe extern "C" fn wattwise_tokenizer_free(tokenizer: *mut WattwiseTokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// Ids of UTF-8 `text` with special tokens, at most `limit` (0: as tokenizer.json says).
/// `ids` is null after an error.
///
/// # Safety
/// As for wattwise_tokenizer_new; may run on several threads with one tokenizer.
#[no_mangle]
pub unsafe extern "C" fn wattwise_tokenizer_encode(
    tokenizer: *const WattwiseTokenizer,
    text: WattwiseText,
    limit: usize,
    error: *mut *mut c_char,
) -> WattwiseTokens {
    let none = WattwiseTokens {
        count: 0,
        truncated: 0,
        ids: ptr::null_mut(),
        mask: ptr::null_mut(),
        type_ids: ptr::null_mut(),
    };
    guarded(error, none, || {
        let text = std::str::from_utf8(bytes_of(text))
            .map_err(|e| format!("the text is not UTF-8 from byte {}", e.valid_up_to()))?;
        encode(&*tokenizer, text, limit)
    })
}

/// # Safety
/// `tokens` came from wattwise_tokenizer_encode and is freed once.
#[no_mangle]
pub unsafe extern "C" fn wattwise_tokens_free(tokens: WattwiseTokens) {
    free_array(tokens.ids, tokens.count);
    free_array(tokens.mask, tokens.count);
    free_array(tokens.type_ids, tokens.count);
}

/// The id that fills up shorter texts of a batch.
///
/// # Safety
/// `tokenizer` came from wattwise_tokenizer_new.
#[no_mangle]
pub unsafe extern "C" fn wattwise_tokenizer_pad_id(tokenizer: *const WattwiseTokenizer) -> i64 {
    (*tokenizer).pad_id
}

/// 1 when texts are filled up on their left.
///
/// # Safety
/// `tokenizer` came from wattwise_tokenizer_new.
#[no_mangle]
pub unsafe extern "C" fn wattwise_tokenizer_pad_left(tokenizer: *const WattwiseTokenizer) -> u8 {
    u8::from((*tokenizer).pad_left)
}

/// # Safety
/// `text` came from one of the functions above and is freed once.
#[no_mangle]
pub unsafe extern "C" fn wattwise_string_free(text: *mut c_char) {
    if !text.is_null() {
        drop(CString::from_raw(text));
    }
}
