;; Loops in the allocator, which the host calls to hand over an argument: a million rounds for each of
;; its bytes, so that one byte is done at once and 100 kB are never done.
(component
  (core module $guest
    (memory (export "memory") 4)
    (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32)
      (result i32)
      (local $left i64)
      (local.set $left (i64.mul (i64.extend_i32_u (local.get $size)) (i64.const 1000000)))
      (block $done
        (loop $again
          (br_if $done (i64.eqz (local.get $left)))
          (local.set $left (i64.sub (local.get $left) (i64.const 1)))
          (br $again)))
      i32.const 1024)
    (func (export "attempt") (param i32 i32) (result i32) local.get 1))
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))
  (func (export "attempt") (param "text" string) (result u32)
    (canon lift (core func $guest "attempt")
      (memory $memory) (realloc $realloc))))
