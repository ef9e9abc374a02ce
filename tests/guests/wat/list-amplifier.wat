;; Returns `count` lists which are all the same 60 kB of its memory, so that the host has to copy far
;; more than the guest holds: `attempt(count)`.
(component
  (core module $guest
    (memory (export "memory") 2)
    (func (export "attempt") (param $count i32) (result i32)
      (local $at i32)
      (drop (memory.grow
        (i32.add (i32.shr_u (local.get $count) (i32.const 13)) (i32.const 1))))
      (i32.store (i32.const 0) (i32.const 65536))
      (i32.store (i32.const 4) (local.get $count))
      (local.set $at (i32.const 65536))
      (block $done
        (loop $again
          (br_if $done (i32.eqz (local.get $count)))
          (i32.store (local.get $at) (i32.const 16))
          (i32.store offset=4 (local.get $at) (i32.const 60000))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $again)))
      i32.const 0))
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (func (export "attempt") (param "count" u32) (result (list (list u8)))
    (canon lift (core func $guest "attempt") (memory $memory))))
