# Compiler settings that every target takes by linking `isolate_settings`.
add_library(isolate_settings INTERFACE)
# src/ is searched for #include "..." only, so that <linux/mount.h> is still the kernel's header.
set(ISOLATE_INCLUDE -iquote ${PROJECT_SOURCE_DIR}/src)
target_compile_options(isolate_settings INTERFACE ${ISOLATE_INCLUDE})
target_compile_options(isolate_settings INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror -fno-plt -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns about overlapping copies in std::string that don't exist (GCC bug 105651).
  target_compile_options(isolate_settings INTERFACE -Wno-restrict)
endif()
target_compile_definitions(isolate_settings INTERFACE _GNU_SOURCE
  ISOLATE_VERSION="${PROJECT_VERSION}")
# Optimize for size: the start of a run takes mostly system calls, not computing, and the program's pages count as memory
# of each run.
string(REPLACE "-O3" "-Os" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(isolate_settings INTERFACE -ffunction-sections -fdata-sections)
  target_link_options(isolate_settings INTERFACE -Wl,--gc-sections)
endif()
if(ISOLATE_FAULT_POINTS)
  target_compile_definitions(isolate_settings INTERFACE ISOLATE_FAULT_POINTS=1)
endif()
if(ISOLATE_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With the sanitizers' code, GCC 12 believes that the error in a Result may be uninitialized.
    target_compile_options(isolate_settings INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_compile_options(isolate_settings INTERFACE
    # Without vptr, because that check needs a pipe each time, and reports an error if the process is out of descriptors.
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer
    # The sanitizers' tables hold more than a million pointers, which a start would have to relocate otherwise.
    -fno-pie)
  target_link_options(isolate_settings INTERFACE -fsanitize=address,undefined -no-pie)
endif()

# Links a program statically, so that it starts fast. The sanitizers' runtime can't be linked that way.
function(isolate_link_static target)
  if(NOT ISOLATE_SANITIZE)
    target_link_options(${target} PRIVATE -static)
  endif()
endfunction()

# Reads from the table in src/README.md which rooms each room may use.
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/README.md)
file(STRINGS ${PROJECT_SOURCE_DIR}/src/README.md ISOLATE_ROOMS REGEX "^[|] `")
foreach(row ${ISOLATE_ROOMS})
  string(REGEX MATCH "^[|] `([a-z0-9_]+)` [|].*[|]([a-z0-9_, ]*)[|]$" matched "${row}")
  string(REGEX MATCHALL "[a-z0-9_]+" ISOLATE_USES_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
endforeach()

# isolate_precompile(NAME HEADER...): lets other targets use the parsed headers with isolate_use_precompiled(TARGET NAME).
# They are read before each file, so a build without ISOLATE_PRECOMPILE has to show whether a file includes all it needs.
function(isolate_precompile name)
  if(ISOLATE_PRECOMPILE)
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/${name}.cc CONTENT "")
    add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cc)
    target_link_libraries(${name} PRIVATE isolate_settings)
    target_precompile_headers(${name} PRIVATE ${ARGN})
  endif()
endfunction()
function(isolate_use_precompiled target name)
  if(ISOLATE_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

# isolate_room(ROOM [LIBRARY...]): makes a static library of a folder of src/, of all its files except those that only a
# program has. The room's unit tests, ROOM/*_test.cc, become one program, whose tests ctest runs one by one.
function(isolate_room name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main|/verbs|/generate)[.]cc$")
  list(FILTER tests INCLUDE REGEX "_test[.]cc$")
  set(used ${ISOLATE_USES_${name}})
  list(TRANSFORM used PREPEND isolate_)
  if(sources)
    add_library(isolate_${name} STATIC ${sources})
    target_link_libraries(isolate_${name} PUBLIC isolate_settings ${used} ${ARGN})
    isolate_use_precompiled(isolate_${name} isolate_precompiled)
  else()
    add_library(isolate_${name} INTERFACE)
  endif()
  if(ISOLATE_BUILD_TESTS AND tests)
    find_package(GTest REQUIRED)
    include(GoogleTest)
    add_executable(test-${name} ${tests})
    target_link_libraries(test-${name} PRIVATE isolate_${name} GTest::gmock GTest::gtest_main)
    isolate_use_precompiled(test-${name} isolate_precompiled_tests)
    # Suites whose names end with "AloneTest" use up what other tests need, so they run while no other test does.
    gtest_discover_tests(test-${name} TEST_PREFIX "${name}/" TEST_FILTER "-*AloneTest.*" DISCOVERY_TIMEOUT 60)
    foreach(file ${tests})
      file(STRINGS ${file} alone REGEX "AloneTest,")
      if(alone)
        gtest_discover_tests(test-${name} TEST_PREFIX "${name}/" TEST_FILTER "*AloneTest.*" DISCOVERY_TIMEOUT 60
          PROPERTIES RUN_SERIAL TRUE)
        break()
      endif()
    endforeach()
  endif()
endfunction()
