//! The attribute list of a new process, which names its job, its container and its handles.
//!
//! Not verified on this system, see [`super`].

use std::io;
use std::marker::PhantomData;
use std::mem;
use std::ptr;

use windows_sys::Win32::System::Threading::{
    DeleteProcThreadAttributeList, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    UpdateProcThreadAttribute,
};

/// An attribute list. The values it names outlive it, because it only points to them.
pub(super) struct AttributeList<'a> {
    // Whole words, because the structure holds pointers.
    buffer: Vec<usize>,
    values: PhantomData<&'a ()>,
}

impl<'a> AttributeList<'a> {
    /// Returns a list with room for so many attributes.
    pub(super) fn with_room(count: u32) -> io::Result<Self> {
        let mut bytes = 0;
        // SAFETY: without a list the call only writes the size that is needed.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), count, 0, &raw mut bytes) };
        let words = bytes.div_ceil(mem::size_of::<usize>());
        let mut list = Self { buffer: vec![0; words], values: PhantomData };
        // SAFETY: the buffer has at least the size the call asked for, and does not move when the
        // vector is moved.
        let done =
            unsafe { InitializeProcThreadAttributeList(list.as_ptr(), count, 0, &raw mut bytes) };
        if bytes == 0 || done == 0 {
            // Not initialised, so nothing is there to delete.
            list.buffer.clear();
            return Err(io::Error::last_os_error());
        }
        Ok(list)
    }

    /// Sets one attribute to an array of values.
    pub(super) fn set<T>(&mut self, attribute: u32, values: &'a [T]) -> io::Result<()> {
        // SAFETY: the list is initialised; `values` is valid for its size and outlives the list.
        let done = unsafe {
            UpdateProcThreadAttribute(
                self.as_ptr(),
                0,
                attribute as usize,
                values.as_ptr().cast(),
                mem::size_of_val(values),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Returns the pointer that the start of a process takes.
    pub(super) fn as_ptr(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.buffer.as_mut_ptr().cast()
    }
}

impl Drop for AttributeList<'_> {
    fn drop(&mut self) {
        if !self.buffer.is_empty() {
            // SAFETY: the list was initialised and is deleted once.
            unsafe { DeleteProcThreadAttributeList(self.as_ptr()) };
        }
    }
}
