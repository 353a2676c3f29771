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

# A layer: a static library of a folder under src/ that may use only the layers it names.
# isolate_layer(NAME SOURCES ... USES ...)
function(isolate_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_library(isolate_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(isolate_${name} PUBLIC isolate_settings ${ARG_USES})
endfunction()

# The unit tests of a folder, NAME/*_test.cc, as one program that ctest runs test by test.
# isolate_unit_tests(NAME LIBRARY...)
function(isolate_unit_tests name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*_test.cc)
  if(NOT ISOLATE_BUILD_TESTS OR NOT sources)
    return()
  endif()
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(test-${name} ${sources})
  target_link_libraries(test-${name} PRIVATE ${ARGN} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(test-${name} TEST_PREFIX "${name}/" DISCOVERY_TIMEOUT 60)
endfunction()
