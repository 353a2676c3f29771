# Compiler settings that every target takes by linking `isolate_settings`.
add_library(isolate_settings INTERFACE)
# For #include "..." alone: <linux/mount.h> stays the kernel's.
set(ISOLATE_INCLUDE -iquote ${PROJECT_SOURCE_DIR}/src)
target_compile_options(isolate_settings INTERFACE ${ISOLATE_INCLUDE})
target_compile_options(isolate_settings INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror -fno-plt -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns of overlapping copies inside std::string where there are none (GCC bug 105651).
  target_compile_options(isolate_settings INTERFACE -Wno-restrict)
endif()
target_compile_definitions(isolate_settings INTERFACE _GNU_SOURCE
  ISOLATE_VERSION="${PROJECT_VERSION}")
# What a start costs is system calls. Small, since pages of the program count as memory that each run takes.
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
    # With the sanitizers' code in between, GCC 12 takes the error side of a Result for uninitialised.
    target_compile_options(isolate_settings INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_compile_options(isolate_settings INTERFACE
    # Not vptr: it makes a pipe for each look at memory, and takes it for a fault where no descriptor is left for that.
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(isolate_settings INTERFACE -fsanitize=address,undefined)
endif()

# A program that has to start fast is linked statically; the sanitizers' runtime can't be.
function(isolate_link_static target)
  if(NOT ISOLATE_SANITIZE)
    target_link_options(${target} PRIVATE -static)
  endif()
endfunction()

# What the rooms of src/ may use, as the table of src/README.md says.
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/README.md)
file(STRINGS ${PROJECT_SOURCE_DIR}/src/README.md ISOLATE_ROOMS REGEX "^[|] `")
foreach(row ${ISOLATE_ROOMS})
  string(REGEX MATCH "^[|] `([a-z_]+)` [|].*[|]([a-z_, ]*)[|]$" matched "${row}")
  string(REGEX MATCHALL "[a-z_]+" ISOLATE_USES_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
endforeach()

# A room: a folder of src/ as a static library of all its files but the programs' own, with its unit tests,
# ROOM/*_test.cc, as one program that ctest runs test by test.
# isolate_room(ROOM [LIBRARY...])
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
  else()
    add_library(isolate_${name} INTERFACE)
  endif()
  if(ISOLATE_BUILD_TESTS AND tests)
    find_package(GTest REQUIRED)
    include(GoogleTest)
    add_executable(test-${name} ${tests})
    target_link_libraries(test-${name} PRIVATE isolate_${name} GTest::gmock GTest::gtest_main)
    gtest_discover_tests(test-${name} TEST_PREFIX "${name}/" DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
