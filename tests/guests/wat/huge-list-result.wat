;; Returns a list whose length is whatever was asked for, over a memory of one page:
;; `attempt(length)`. Past 65,520 the list lies outside its memory.
(component
  (core module $guest
    (memory (export "memory") 1)
    (func (export "attempt") (param $length i32) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (local.get $length))
      i32.const 0))
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (func (export "attempt") (param "length" u32) (result (list u8))
    (canon lift (core func $guest "attempt") (memory $memory))))
